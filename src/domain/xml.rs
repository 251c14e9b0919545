//! From text to [`Document`]. The only file that names `quick_xml`.
//!
//! quick-xml is a tokenizer and not a validator: it takes an unclosed or a second root, text outside the root, a
//! DOCTYPE and unknown entities without a word. The rules of a document are held here, so that what passes can be
//! read by Go's `encoding/xml` and by libxml2 afterwards.

use std::{borrow::Cow, ops::Range};

use quick_xml::{
    Reader, XmlVersion,
    errors::{Error, IllFormedError},
    escape::unescape,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};

use super::document::{Attribute, Document, Element};

/// Why a text is not a document that can be edited. Carries a place and a fact, never content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct XmlError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: &'static str,
}

/// Reads a document, or tells the first thing that is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Document<'_>, XmlError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(fail(bytes, error.valid_up_to(), "not UTF-8")),
    };
    check_characters(text)?;
    Scan::new(text).run()
}

/// An attribute's value with its entities resolved; they have been checked when the document was read.
pub(super) fn resolve_entities(raw: &str) -> Cow<'_, str> {
    unescape(raw).unwrap_or(Cow::Borrowed(raw))
}

/// One pass over the tokens that builds the elements and holds the document's rules.
struct Scan<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    elements: Vec<Element>,
    attributes: Vec<Attribute>,
    open: Option<usize>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        // KubeVirt's domains have an element, and an attribute, in about every 40 bytes.
        let expected = text.len() / 40;
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.check_comments = true;
        config.check_end_names = true;
        Self {
            text,
            reader,
            elements: Vec::with_capacity(expected),
            attributes: Vec::with_capacity(expected),
            open: None,
        }
    }

    fn run(mut self) -> Result<Document<'a>, XmlError> {
        loop {
            let start = self.position();
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.fail(start, explain(&error))),
            };
            let range = start..self.position();
            match event {
                Event::Start(tag) => self.start(&tag, range, false)?,
                Event::Empty(tag) => self.start(&tag, range, true)?,
                Event::End(_) => self.end(range),
                Event::Text(text) => self.text_event(&text, start)?,
                Event::CData(_) => self.inside(start, "CDATA outside the root element")?,
                Event::GeneralRef(entity) => self.reference(&entity, start)?,
                Event::Comment(_) => self.mark_text(),
                Event::PI(instruction) => self.instruction(instruction.target(), start)?,
                Event::Decl(declaration) => self.declaration(&declaration, start)?,
                Event::DocType(_) => return Err(self.fail(start, "a DOCTYPE is not allowed")),
                Event::Eof => break,
            }
        }
        match (self.elements.is_empty(), self.open) {
            (true, _) => Err(self.fail(self.text.len(), "there is no root element")),
            (_, Some(_)) => Err(self.fail(self.text.len(), "it ends inside an element")),
            _ => Ok(Document { text: self.text, elements: self.elements, attributes: self.attributes }),
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX).min(self.text.len())
    }

    fn start(&mut self, tag: &BytesStart<'_>, range: Range<usize>, empty: bool) -> Result<(), XmlError> {
        if self.open.is_none() && !self.elements.is_empty() {
            return Err(self.fail(range.start, "a second root element"));
        }
        let name = range.start + 1..range.start + 1 + tag.name().0.len();
        self.check_name(name.clone())?;
        let first_attribute = self.attributes.len();
        self.read_attributes(tag, range.start)?;
        let index = self.elements.len();
        self.elements.push(Element {
            name,
            content_end: range.end,
            end: range.end,
            start_tag: range,
            attributes: first_attribute..self.attributes.len(),
            parent: self.open,
            first_child: None,
            last_child: None,
            next_sibling: None,
            has_text: false,
        });
        self.append_to_parent(index);
        if !empty {
            self.open = Some(index);
        }
        Ok(())
    }

    fn append_to_parent(&mut self, index: usize) {
        let Some(parent) = self.open else { return };
        match self.elements[parent].last_child.replace(index) {
            Some(previous) => self.elements[previous].next_sibling = Some(index),
            None => self.elements[parent].first_child = Some(index),
        }
    }

    fn end(&mut self, range: Range<usize>) {
        // The reader has matched the name, so an element is open.
        if let Some(index) = self.open {
            self.elements[index].content_end = range.start;
            self.elements[index].end = range.end;
            self.open = self.elements[index].parent;
        }
    }

    fn read_attributes(&mut self, tag: &BytesStart<'_>, position: usize) -> Result<(), XmlError> {
        let first = self.attributes.len();
        // Its own check for repeated names allocates for each element.
        for attribute in tag.attributes().with_checks(false) {
            let Ok(attribute) = attribute else {
                return Err(self.fail(position, "a broken or repeated attribute"));
            };
            let (name, value) = (self.range_of(attribute.key.0), self.range_of(&attribute.value));
            let repeats = |earlier: &Attribute| self.text[earlier.name.clone()] == self.text[name.clone()];
            if self.attributes[first..].iter().any(repeats) {
                return Err(self.fail(position, "a broken or repeated attribute"));
            }
            self.check_name(name.clone())?;
            if !self.text.as_bytes()[name.start - 1].is_ascii_whitespace() {
                return Err(self.fail(position, "no space before an attribute"));
            }
            self.check_value(value.clone())?;
            self.attributes.push(Attribute { name, value });
        }
        Ok(())
    }

    /// The range of a slice that borrows from the input.
    fn range_of(&self, slice: &str) -> Range<usize> {
        let start = slice.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        start..start + slice.len()
    }

    fn check_value(&self, range: Range<usize>) -> Result<(), XmlError> {
        let value = &self.text[range.clone()];
        if !value.bytes().any(|b| b == b'<' || b == b'&') {
            return Ok(());
        }
        if value.contains('<') {
            return Err(self.fail(range.start, "'<' in an attribute's value"));
        }
        match value.contains('&').then(|| unescape(value)) {
            Some(Err(_)) => {
                Err(self.fail(range.start, "an unknown or broken entity in an attribute's value"))
            }
            Some(Ok(value)) if !value.chars().all(is_xml_char) => {
                Err(self.fail(range.start, "a character that XML does not allow"))
            }
            _ => Ok(()),
        }
    }

    fn check_name(&self, range: Range<usize>) -> Result<(), XmlError> {
        if is_qualified_name(&self.text[range.clone()]) {
            Ok(())
        } else {
            Err(self.fail(range.start, "an element or attribute has a name that XML does not allow"))
        }
    }

    fn text_event(&mut self, text: &str, start: usize) -> Result<(), XmlError> {
        if text.bytes().all(|b| b.is_ascii_whitespace()) {
            return Ok(());
        }
        if text.contains("]]>") {
            return Err(self.fail(start, "']]>' in text"));
        }
        self.inside(start, "text outside the root element")
    }

    fn reference(&mut self, entity: &BytesRef<'_>, start: usize) -> Result<(), XmlError> {
        let known = match entity.resolve_char_ref() {
            Ok(Some(character)) => is_xml_char(character),
            Ok(None) => matches!(&**entity, "amp" | "lt" | "gt" | "quot" | "apos"),
            Err(_) => false,
        };
        if !known {
            return Err(self.fail(start, "an unknown or broken entity"));
        }
        self.inside(start, "an entity outside the root element")
    }

    fn instruction(&mut self, target: &str, start: usize) -> Result<(), XmlError> {
        if !is_qualified_name(target) || target.contains(':') || target.eq_ignore_ascii_case("xml") {
            return Err(self.fail(start, "a processing instruction has a name that XML does not allow"));
        }
        self.mark_text();
        Ok(())
    }

    fn declaration(&mut self, declaration: &BytesDecl<'_>, start: usize) -> Result<(), XmlError> {
        if start != 0 {
            return Err(self.fail(start, "an XML declaration that is not at the beginning"));
        }
        if !is_well_formed_declaration(declaration) {
            return Err(self.fail(start, "a broken XML declaration"));
        }
        if !matches!(declaration.xml_version(), Ok(XmlVersion::Explicit1_0)) {
            return Err(self.fail(start, "an XML version other than 1.0"));
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
            Some(_) => Err(self.fail(start, "an encoding other than UTF-8")),
        }
    }

    fn inside(&mut self, start: usize, outside: &'static str) -> Result<(), XmlError> {
        if self.open.is_none() {
            return Err(self.fail(start, outside));
        }
        self.mark_text();
        Ok(())
    }

    fn mark_text(&mut self) {
        if let Some(index) = self.open {
            self.elements[index].has_text = true;
        }
    }

    fn fail(&self, position: usize, problem: &'static str) -> XmlError {
        fail(self.text.as_bytes(), position, problem)
    }
}

fn fail(bytes: &[u8], position: usize, problem: &'static str) -> XmlError {
    let line = 1 + bytes.iter().take(position).filter(|&&b| b == b'\n').count();
    XmlError { line, problem }
}

fn explain(error: &Error) -> &'static str {
    match error {
        Error::IllFormed(IllFormedError::DoubleHyphenInComment) => "'--' in a comment",
        Error::IllFormed(_) => "an end tag that does not match its start tag, or broken markup",
        _ => "broken markup",
    }
}

/// The characters of XML 1.0, production 2.
fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// May begin a character that XML does not allow; letters of some scripts are among them.
fn is_suspect(b: u8) -> bool {
    (b < 0x20 && b != b'\n' && b != b'\t' && b != b'\r') || b == 0xef
}

fn check_characters(text: &str) -> Result<(), XmlError> {
    if text.starts_with('\u{feff}') {
        return Err(fail(text.as_bytes(), 0, "a byte order mark"));
    }
    // What XML does not allow is a control character or begins with EF, and mostly there is neither. Whole chunks, so
    // that the compiler can look at many bytes at once.
    if !text.as_bytes().chunks(64).any(|chunk| chunk.iter().fold(false, |found, &b| found | is_suspect(b))) {
        return Ok(());
    }
    match text.char_indices().find(|&(_, c)| !is_xml_char(c)) {
        Some((position, _)) => Err(fail(text.as_bytes(), position, "a character that XML does not allow")),
        None => Ok(()),
    }
}

/// quick-xml looks for what it needs in a declaration and takes anything around it.
fn is_well_formed_declaration(declaration: &BytesDecl<'_>) -> bool {
    let raw = BytesStart::from_content(&**declaration, "xml".len());
    let mut known = ["version", "encoding", "standalone"].iter();
    let in_order = raw.attributes().all(|attribute| {
        attribute.is_ok_and(|found| {
            let before = found.key.0.as_ptr().addr().wrapping_sub(declaration.as_ptr().addr());
            let spaced =
                declaration.as_bytes().get(before.wrapping_sub(1)).is_some_and(u8::is_ascii_whitespace);
            spaced && known.any(|name| *name == found.key.0)
        })
    });
    let standalone =
        declaration.standalone().is_none_or(|value| matches!(value.as_deref(), Ok("yes" | "no")));
    in_order && standalone
}

/// A name with at most one colon between two names.
fn is_qualified_name(name: &str) -> bool {
    if let Some(ascii) = is_ascii_name(name.as_bytes()) {
        return ascii;
    }
    match name.split_once(':') {
        Some((prefix, local)) => is_name(prefix) && is_name(local),
        None => is_name(name),
    }
}

/// The same for the names that are really there; nothing for one with other characters.
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

#[cfg(test)]
mod tests;
