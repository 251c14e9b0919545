use std::borrow::Cow;

/// An attribute's value with its entities resolved; they were checked when the document was read.
pub(in super::super) fn resolve(raw: &str) -> Cow<'_, str> {
    if !raw.as_bytes().contains(&b'&') {
        return Cow::Borrowed(raw);
    }
    unescape(raw).map_or(Cow::Borrowed(raw), Cow::Owned)
}

/// `None` if an entity is unknown or broken.
pub(super) fn unescape(raw: &str) -> Option<String> {
    let mut parts = raw.split('&');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';')?;
        text.push(character(name)?);
        text.push_str(rest);
    }
    Some(text)
}

/// The character that `&name;` stands for. It need not be one that XML allows.
pub(super) fn character(name: &str) -> Option<char> {
    let number = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
    // Rust would accept a sign.
    let all_digits = digits.bytes().all(|b| b.is_ascii_hexdigit());
    all_digits.then(|| u32::from_str_radix(digits, radix).ok()).flatten().and_then(char::from_u32)
}
