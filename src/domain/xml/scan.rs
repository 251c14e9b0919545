//! One pass over the bytes.

use std::ops::Range;

use super::{
    super::document::{Attribute, Document, Element, Link, WIDE},
    characters::{is_qualified_name, is_xml_char},
    declaration, entities,
    error::{TOO_MANY_ELEMENTS, XmlError, fail},
};

/// The most elements that are edited. KubeVirt's domains have less than 5,000.
const ELEMENTS_MAX: usize = 100_000;

const BAD_ATTRIBUTE: &str = "a broken or repeated attribute";
const BAD_CHARACTER: &str = "a character that XML does not allow";
const BAD_END_TAG: &str = "an end tag that does not match its start tag, or broken markup";
const BROKEN: &str = "broken markup";

/// Builds the elements and enforces the document's rules, from the first byte to the last.
pub(super) struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    elements: Vec<Element>,
    attributes: Vec<Attribute>,
    open: Option<usize>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // KubeVirt's domains have an element, and an attribute, in about every 40 bytes.
        let expected = (text.len() / 40).min(ELEMENTS_MAX);
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            elements: Vec::with_capacity(expected),
            attributes: Vec::with_capacity(expected),
            open: None,
        }
    }

    pub(super) fn run(mut self) -> Result<Document<'a>, XmlError> {
        loop {
            self.characters()?;
            match self.bytes.get(self.at + 1) {
                _ if self.is_at_end() => break,
                Some(b'/') => self.end()?,
                Some(b'?') => self.instruction()?,
                Some(b'!') => self.exclamation()?,
                _ => self.start()?,
            }
        }
        match (self.elements.is_empty(), self.open) {
            (true, _) => Err(self.fail(self.text.len(), "there is no root element")),
            (_, Some(_)) => Err(self.fail(self.text.len(), "it ends inside an element")),
            _ => Ok(Document { text: self.text, elements: self.elements, attributes: self.attributes }),
        }
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next byte; zero, which no document has, at the end.
    fn next(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    /// Whether there was any white space.
    fn skip_space(&mut self) -> bool {
        let start = self.at;
        while self.next().is_ascii_whitespace() {
            self.at += 1;
        }
        self.at > start
    }

    /// Up to the next `<`: white space, or text that is allowed here.
    fn characters(&mut self) -> Result<(), XmlError> {
        let start = self.at;
        self.skip_space();
        if self.is_at_end() || self.next() == b'<' {
            return Ok(());
        }
        let rest = &self.text[self.at..];
        let text = &rest[..rest.find('<').unwrap_or(rest.len())];
        if text.contains('>') && text.contains("]]>") {
            return Err(self.fail(start, "']]>' in text"));
        }
        for (position, _) in text.match_indices('&') {
            let entity = text[position + 1..].split_once(';');
            if !entity.and_then(|(name, _)| entities::character(name)).is_some_and(is_xml_char) {
                return Err(self.fail(self.at + position, "an unknown or broken entity"));
            }
        }
        self.inside(
            start,
            match text.starts_with('&') {
                true => "an entity outside the root element",
                false => "text outside the root element",
            },
        )?;
        self.at += text.len();
        Ok(())
    }

    fn start(&mut self) -> Result<(), XmlError> {
        let start = self.at;
        if self.open.is_none() && !self.elements.is_empty() {
            return Err(self.fail(start, "a second root element"));
        }
        if self.elements.len() == ELEMENTS_MAX {
            return Err(self.fail(start, TOO_MANY_ELEMENTS));
        }
        self.at += 1;
        let name = self.name()?;
        let first_attribute = self.attributes.len();
        let empty = self.read_attributes(start)?;
        let index = self.elements.len();
        self.elements.push(Element {
            name: name.into(),
            end_tag: (self.at..self.at).into(),
            start_tag: (start..self.at).into(),
            attributes: (first_attribute..self.attributes.len()).into(),
            parent: self.open.map_or(Link::NONE, Link::to),
            first_child: Link::NONE,
            last_child: Link::NONE,
            next_sibling: Link::NONE,
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
        let previous = std::mem::replace(&mut self.elements[parent].last_child, Link::to(index));
        match previous.index() {
            Some(previous) => self.elements[previous].next_sibling = Link::to(index),
            None => self.elements[parent].first_child = Link::to(index),
        }
    }

    fn end(&mut self) -> Result<(), XmlError> {
        let start = self.at;
        let Some(index) = self.open else {
            return Err(self.fail(start, BAD_END_TAG));
        };
        let name = self.elements[index].name.range();
        self.at += 2 + name.len();
        if self.bytes.get(start + 2..self.at) != Some(&self.bytes[name]) {
            return Err(self.fail(start, BAD_END_TAG));
        }
        self.skip_space();
        if self.next() != b'>' {
            return Err(self.fail(start, BAD_END_TAG));
        }
        self.at += 1;
        self.elements[index].end_tag = (start..self.at).into();
        self.open = self.elements[index].parent.index();
        Ok(())
    }

    /// Reads up to the end of the tag; whether it closes itself.
    fn read_attributes(&mut self, start: usize) -> Result<bool, XmlError> {
        let first = self.attributes.len();
        let empty = loop {
            let spaced = self.skip_space();
            match (self.next(), self.bytes.get(self.at + 1)) {
                (b'>', _) => break false,
                (b'/', Some(b'>')) => break true,
                _ if self.is_at_end() => return Err(self.fail(start, BROKEN)),
                _ => self.read_attribute(start, spaced)?,
            }
        };
        self.at += if empty { 2 } else { 1 };
        if repeats_a_name(self.bytes, &mut self.attributes[first..]) {
            return Err(self.fail(start, BAD_ATTRIBUTE));
        }
        Ok(empty)
    }

    fn read_attribute(&mut self, start: usize, spaced: bool) -> Result<(), XmlError> {
        let name = self.name()?;
        if !spaced {
            return Err(self.fail(start, "no space before an attribute"));
        }
        self.skip_space();
        if self.next() != b'=' {
            return Err(self.fail(start, BAD_ATTRIBUTE));
        }
        self.at += 1;
        self.skip_space();
        let quote = self.next();
        if quote != b'"' && quote != b'\'' {
            return Err(self.fail(start, BAD_ATTRIBUTE));
        }
        let value = self.at + 1;
        let rest = &self.bytes[value..];
        // Most values end before a byte that needs a look.
        let mut end = rest.iter().position(|&b| b == quote || b == b'<' || b == b'&');
        let is_plain = end.is_some_and(|end| rest[end] == quote);
        if !is_plain {
            end = rest.iter().position(|&b| b == quote);
        }
        let Some(end) = end else {
            return Err(self.fail(start, BROKEN));
        };
        let value = value..value + end;
        self.at = value.end + 1;
        if !is_plain {
            self.check_value(value.clone())?;
        }
        self.attributes.push(Attribute { name: name.into(), value: value.into() });
        Ok(())
    }

    /// Entities and characters of a value that has a `<` or `&`.
    fn check_value(&self, range: Range<usize>) -> Result<(), XmlError> {
        let (start, value) = (range.start, &self.text[range]);
        if value.contains('<') {
            return Err(self.fail(start, "'<' in an attribute's value"));
        }
        match entities::unescape(value) {
            None => Err(self.fail(start, "an unknown or broken entity in an attribute's value")),
            Some(value) if !value.chars().all(is_xml_char) => Err(self.fail(start, BAD_CHARACTER)),
            Some(_) => Ok(()),
        }
    }

    /// The name of an element or attribute.
    fn name(&mut self) -> Result<Range<usize>, XmlError> {
        let start = self.at;
        let rest = &self.bytes[start..];
        self.at += rest.iter().position(|&b| !is_simple(b)).unwrap_or(rest.len());
        let is_plain = rest.first().is_some_and(|&b| b.is_ascii_alphabetic() || b == b'_');
        if !(is_plain && self.is_after_name()) {
            while !self.is_after_name() {
                self.at += 1;
            }
            if !is_qualified_name(&self.text[start..self.at]) {
                let problem = "an element or attribute has a name that XML does not allow";
                return Err(self.fail(start, problem));
            }
        }
        Ok(start..self.at)
    }

    fn is_after_name(&self) -> bool {
        self.is_at_end() || matches!(self.next(), b'=' | b'>' | b'/' | b' ' | b'\n' | b'\t' | b'\r')
    }

    /// A comment or CDATA; not a DOCTYPE.
    fn exclamation(&mut self) -> Result<(), XmlError> {
        let (start, rest) = (self.at, &self.text[self.at..]);
        let length = if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("--").map(|hyphens| hyphens + 2);
            if end.is_some_and(|end| !comment[end..].starts_with('>')) {
                return Err(self.fail(start, "'--' in a comment"));
            }
            self.mark_text();
            end.map(|end| "<!--".len() + end + 1)
        } else if rest.starts_with("<![CDATA[") {
            self.inside(start, "CDATA outside the root element")?;
            rest.find("]]>").map(|end| end + "]]>".len())
        } else if rest.get(2..9).is_some_and(|word| word.eq_ignore_ascii_case("DOCTYPE")) {
            return Err(self.fail(start, "a DOCTYPE is not allowed"));
        } else {
            None
        };
        self.at += length.ok_or_else(|| self.fail(start, BROKEN))?;
        Ok(())
    }

    /// A processing instruction or the XML declaration.
    fn instruction(&mut self) -> Result<(), XmlError> {
        let (start, rest) = (self.at, &self.text[self.at + 2..]);
        let Some(end) = rest.find("?>") else {
            return Err(self.fail(start, BROKEN));
        };
        self.at += end + 4;
        let (target, more) = rest[..end].split_at(rest[..end].find(is_space).unwrap_or(end));
        if target == "xml" {
            if start != 0 {
                return Err(self.fail(start, "an XML declaration that is not at the beginning"));
            }
            return declaration::check(more).map_err(|problem| self.fail(start, problem));
        }
        if !is_qualified_name(target) || target.contains(':') || target.eq_ignore_ascii_case("xml") {
            return Err(self.fail(start, "a processing instruction has a name that XML does not allow"));
        }
        self.mark_text();
        Ok(())
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

/// Sorts the attributes of a wide element by name, so that repeated names are neighbours and [`Document`] can search
/// them. For the few attributes of most elements, comparing all pairs is cheaper.
fn repeats_a_name(text: &[u8], attributes: &mut [Attribute]) -> bool {
    let name = |attribute: &Attribute| &text[attribute.name.range()];
    if attributes.len() > WIDE {
        attributes.sort_unstable_by(|a, b| name(a).cmp(name(b)));
        return attributes.windows(2).any(|pair| name(&pair[0]) == name(&pair[1]));
    }
    let is_repeated = |(index, found): (usize, &Attribute)| {
        attributes[..index].iter().any(|earlier| name(earlier) == name(found))
    };
    attributes.iter().enumerate().any(is_repeated)
}

/// Whether a name that begins with a letter or `_` may have this byte and needs no closer look.
fn is_simple(b: u8) -> bool {
    const SIMPLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut b = 0_u8;
        while b < 0x80 {
            table[b as usize] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            b += 1;
        }
        table
    };
    SIMPLE[usize::from(b)]
}

fn is_space(c: char) -> bool {
    c.is_ascii_whitespace()
}
