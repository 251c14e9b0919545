//! One pass over quick-xml's tokens.

use std::ops::Range;

use quick_xml::{
    Reader,
    errors::{Error, IllFormedError},
    escape::unescape,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};

use super::{
    super::document::{Attribute, Document, Element, Link, WIDE},
    characters::{is_qualified_name, is_xml_char},
    declaration,
    error::{TOO_MANY_ELEMENTS, XmlError, fail},
};

/// The most elements that are edited. KubeVirt's domains have less than 5,000.
const ELEMENTS_MAX: usize = 100_000;

const BAD_ATTRIBUTE: &str = "a broken or repeated attribute";

/// One pass over the tokens that builds the elements and enforces the document's rules.
pub(super) struct Scan<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    elements: Vec<Element>,
    attributes: Vec<Attribute>,
    open: Option<usize>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // KubeVirt's domains have an element, and an attribute, in about every 40 bytes.
        let expected = (text.len() / 40).min(ELEMENTS_MAX);
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

    pub(super) fn run(mut self) -> Result<Document<'a>, XmlError> {
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
        if self.elements.len() == ELEMENTS_MAX {
            return Err(self.fail(range.start, TOO_MANY_ELEMENTS));
        }
        let name = range.start + 1..range.start + 1 + tag.name().0.len();
        self.check_name(name.clone())?;
        let first_attribute = self.attributes.len();
        self.read_attributes(tag, range.start)?;
        let index = self.elements.len();
        self.elements.push(Element {
            name: name.into(),
            end_tag: (range.end..range.end).into(),
            start_tag: range.into(),
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

    fn end(&mut self, range: Range<usize>) {
        // The reader has matched the name, so an element is open.
        if let Some(index) = self.open {
            self.elements[index].end_tag = range.into();
            self.open = self.elements[index].parent.index();
        }
    }

    fn read_attributes(&mut self, tag: &BytesStart<'_>, position: usize) -> Result<(), XmlError> {
        let first = self.attributes.len();
        // quick-xml's own check for repeated names compares each with all before it.
        for attribute in tag.attributes().with_checks(false) {
            let Ok(attribute) = attribute else {
                return Err(self.fail(position, BAD_ATTRIBUTE));
            };
            let (name, value) = (self.range_of(attribute.key.0), self.range_of(&attribute.value));
            self.check_name(name.clone())?;
            // quick-xml accepts `b='1'c='2'`.
            if !self.text.as_bytes()[name.start - 1].is_ascii_whitespace() {
                return Err(self.fail(position, "no space before an attribute"));
            }
            self.check_value(value.clone())?;
            self.attributes.push(Attribute { name: name.into(), value: value.into() });
        }
        if repeats_a_name(self.text, &mut self.attributes[first..]) {
            return Err(self.fail(position, BAD_ATTRIBUTE));
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
        declaration::check(declaration).map_err(|problem| self.fail(start, problem))
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
fn repeats_a_name(text: &str, attributes: &mut [Attribute]) -> bool {
    if attributes.len() > WIDE {
        attributes.sort_unstable_by(|a, b| a.name(text).cmp(b.name(text)));
        return attributes.windows(2).any(|pair| pair[0].name(text) == pair[1].name(text));
    }
    let is_repeated = |index: usize, found: &Attribute| {
        attributes[..index].iter().any(|earlier| earlier.name(text) == found.name(text))
    };
    attributes.iter().enumerate().any(|(index, found)| is_repeated(index, found))
}

fn explain(error: &Error) -> &'static str {
    match error {
        Error::IllFormed(IllFormedError::DoubleHyphenInComment) => "'--' in a comment",
        Error::IllFormed(_) => "an end tag that does not match its start tag, or broken markup",
        _ => "broken markup",
    }
}
