//! A document as byte ranges: which element stands where in the text. Made by [`super::xml`].

use std::{borrow::Cow, ops::Range};

use super::xml::resolve_entities;

/// A well-formed document: its text and where its elements stand in it.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) elements: Vec<Element>,
    pub(super) attributes: Vec<Attribute>,
}

#[derive(Debug)]
pub(super) struct Element {
    /// The qualified name, behind the `<`.
    pub(super) name: Range<usize>,
    pub(super) start_tag: Range<usize>,
    /// Where the end tag begins; the end of the start tag for a self-closed element.
    pub(super) content_end: usize,
    pub(super) end: usize,
    pub(super) attributes: Range<usize>,
    pub(super) parent: Option<usize>,
    pub(super) first_child: Option<usize>,
    pub(super) last_child: Option<usize>,
    pub(super) next_sibling: Option<usize>,
    /// Text other than white space, CDATA, a comment or a processing instruction stands directly inside.
    pub(super) has_text: bool,
}

#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: Range<usize>,
    /// The value between its quotes, as written.
    pub(super) value: Range<usize>,
}

/// One element of a [`Document`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'d> {
    document: &'d Document<'d>,
    index: usize,
}

impl<'a> Document<'a> {
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn root(&self) -> Node<'_> {
        self.node(0)
    }

    pub(super) fn node(&self, index: usize) -> Node<'_> {
        Node { document: self, index }
    }
}

impl<'d> Node<'d> {
    fn element(self) -> &'d Element {
        &self.document.elements[self.index]
    }

    pub(super) fn index(self) -> usize {
        self.index
    }

    pub(super) fn is_same(self, other: Self) -> bool {
        self.index == other.index
    }

    /// The qualified name, prefix included.
    pub(super) fn name(self) -> &'d str {
        &self.document.text[self.element().name.clone()]
    }

    /// Where an attribute can be put: directly behind the name, right for `>`, `/>` and any spacing.
    pub(super) fn name_end(self) -> usize {
        self.element().name.end
    }

    /// The whole element, from `<` to the last `>`.
    pub(super) fn range(self) -> Range<usize> {
        self.element().start_tag.start..self.element().end
    }

    /// The whole element as it is written.
    pub(super) fn source(self) -> &'d str {
        &self.document.text[self.range()]
    }

    pub(super) fn is_self_closed(self) -> bool {
        self.element().content_end == self.element().end
    }

    /// Where the end tag begins.
    pub(super) fn content_end(self) -> usize {
        self.element().content_end
    }

    /// The start tag as it is written, without `/>` or `>`.
    pub(super) fn open_tag(self) -> &'d str {
        self.document.text[self.element().start_tag.clone()]
            .trim_end_matches('>')
            .trim_end_matches('/')
            .trim_end()
    }

    /// The newline and indent directly before the element; empty if it does not begin a line.
    pub(super) fn lead(self) -> &'d str {
        let before = &self.document.text[..self.element().start_tag.start];
        let indent = before.trim_end_matches([' ', '\t']).len();
        let line = &before[..indent];
        let newline = match line.strip_suffix('\n') {
            Some(rest) => rest.strip_suffix('\r').unwrap_or(rest).len(),
            None => return "",
        };
        &before[newline..]
    }

    pub(super) fn has_text(self) -> bool {
        self.element().has_text
    }

    pub(super) fn children(self) -> impl Iterator<Item = Node<'d>> {
        let document = self.document;
        std::iter::successors(self.element().first_child, |&index| document.elements[index].next_sibling)
            .map(move |index| Node { document, index })
    }

    pub(super) fn children_named(self, name: &str) -> impl Iterator<Item = Node<'d>> {
        self.children().filter(move |child| child.name() == name)
    }

    pub(super) fn child(self, name: &str) -> Option<Node<'d>> {
        self.children_named(name).next()
    }

    /// An attribute's value with entities resolved.
    pub(super) fn attribute(self, name: &str) -> Option<Cow<'d, str>> {
        let text = self.document.text;
        let attribute = self.attributes().find(|attribute| &text[attribute.name.clone()] == name)?;
        let raw = &text[attribute.value.clone()];
        Some(resolve_entities(raw))
    }

    /// Where an attribute's value stands, between its quotes.
    pub(super) fn value_range(self, name: &str) -> Option<Range<usize>> {
        let text = self.document.text;
        self.attributes()
            .find(|attribute| &text[attribute.name.clone()] == name)
            .map(|found| found.value.clone())
    }

    /// Whether any element of the document carries this prefix, declared or not.
    pub(super) fn uses_prefix(self, prefix: &str) -> bool {
        let name = |element: &Element| &self.document.text[element.name.clone()];
        self.document
            .elements
            .iter()
            .any(|element| name(element).split_once(':').is_some_and(|(found, _)| found == prefix))
    }

    fn attributes(self) -> std::slice::Iter<'d, Attribute> {
        self.document.attributes[self.element().attributes.clone()].iter()
    }

    /// The part of the name behind the prefix, if the prefix (or the lack of one) stands for `namespace` here.
    pub(super) fn local_name_in(self, namespace: &str) -> Option<&'d str> {
        let (declaration, local) = match self.name().split_once(':') {
            Some((prefix, local)) => (format!("xmlns:{prefix}"), local),
            None => ("xmlns".to_owned(), self.name()),
        };
        let bound = self.ancestors().find_map(|node| node.attribute(&declaration))?;
        (bound == namespace).then_some(local)
    }

    /// A prefix that this element itself binds to `namespace`.
    pub(super) fn declared_prefix(self, namespace: &str) -> Option<&'d str> {
        let text = self.document.text;
        self.attributes().find_map(|attribute| {
            let prefix = text[attribute.name.clone()].strip_prefix("xmlns:")?;
            (text[attribute.value.clone()] == *namespace).then_some(prefix)
        })
    }

    fn ancestors(self) -> impl Iterator<Item = Node<'d>> {
        let document = self.document;
        std::iter::successors(Some(self.index), |&index| document.elements[index].parent)
            .map(move |index| Node { document, index })
    }
}
