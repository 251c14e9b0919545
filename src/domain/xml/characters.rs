//! Which characters and names XML 1.0 allows.

use super::error::{XmlError, fail};

/// The characters of XML 1.0, production 2.
pub(super) fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// Whether the byte may begin a character that XML does not allow; letters of some scripts begin with it, too.
fn is_suspect(b: u8) -> bool {
    (b < 0x20 && b != b'\n' && b != b'\t' && b != b'\r') || b == 0xef
}

pub(super) fn check_characters(text: &str) -> Result<(), XmlError> {
    if text.starts_with('\u{feff}') {
        return Err(fail(text.as_bytes(), 0, "a byte order mark"));
    }
    // What XML does not allow is a control character or begins with EF, and most domains have neither. Whole chunks,
    // so that the compiler can compare many bytes at once.
    if !text.as_bytes().chunks(64).any(|chunk| chunk.iter().fold(false, |found, &b| found | is_suspect(b))) {
        return Ok(());
    }
    match text.char_indices().find(|&(_, c)| !is_xml_char(c)) {
        Some((position, _)) => Err(fail(text.as_bytes(), position, "a character that XML does not allow")),
        None => Ok(()),
    }
}

/// A name with at most one colon between two names.
pub(super) fn is_qualified_name(name: &str) -> bool {
    if let Some(ascii) = is_ascii_name(name.as_bytes()) {
        return ascii;
    }
    match name.split_once(':') {
        Some((prefix, local)) => is_name(prefix) && is_name(local),
        None => is_name(name),
    }
}

/// ASCII fast path; `None` if the name has other characters.
fn is_ascii_name(name: &[u8]) -> Option<bool> {
    let (mut starts, mut colons) = (true, 0);
    for &b in name {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => starts = false,
            b'0'..=b'9' | b'-' | b'.' if !starts => {}
            b':' if !starts => {
                starts = true;
                colons += 1;
            }
            0..=0x7f => return Some(false),
            _ => return None,
        }
    }
    Some(!starts && colons < 2)
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(|c| is_name_start(c) || is_later_name_char(c))
}

/// Production 4 of XML 1.0 without the colon.
fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

/// What production 4a adds.
fn is_later_name_char(c: char) -> bool {
    matches!(c, '0'..='9' | '-' | '.' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
