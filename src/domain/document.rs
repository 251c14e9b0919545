//! A document as byte ranges: which element is where in the text. Built by [`super::xml`].

use std::{borrow::Cow, ops::Range};

use super::xml::entities;

/// Elements with more attributes than this keep them sorted by name, so that looking one up, and finding repeated
/// ones, does not take quadratic time.
pub(super) const WIDE: usize = 16;

/// A well-formed document: its text and where its elements are in it.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) elements: Vec<Element>,
    pub(super) attributes: Vec<Attribute>,
}

/// Bytes of the text. Four bytes an offset: a document has at most 4 MiB, and the elements of a large one would
/// otherwise take more memory than its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// Another element, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link(u32);

#[derive(Debug)]
pub(super) struct Element {
    /// The qualified name, after the `<`.
    pub(super) name: Span,
    pub(super) start_tag: Span,
    /// From the end tag's `<` to its `>`; empty for a self-closed element.
    pub(super) end_tag: Span,
    pub(super) attributes: Span,
    pub(super) parent: Link,
    pub(super) first_child: Link,
    pub(super) last_child: Link,
    pub(super) next_sibling: Link,
    /// Directly inside is text other than white space, CDATA, a comment or a processing instruction.
    pub(super) has_text: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    pub(super) name: Span,
    /// The value between its quotes, as written.
    pub(super) value: Span,
}

/// One element of a [`Document`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'d> {
    document: &'d Document<'d>,
    index: usize,
}

/// Offsets never exceed the size limit of a document, which is far below this.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

impl Span {
    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: narrow(range.start), end: narrow(range.end) }
    }
}

impl Link {
    pub(super) const NONE: Self = Self(u32::MAX);

    pub(super) fn to(index: usize) -> Self {
        Self(narrow(index))
    }

    pub(super) fn index(self) -> Option<usize> {
        (self.0 != u32::MAX).then_some(self.0 as usize)
    }
}

impl Attribute {
    pub(super) fn name(self, text: &str) -> &str {
        &text[self.name.range()]
    }
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

    pub(super) fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.elements.len()).map(|index| self.node(index))
    }
}

impl<'d> Node<'d> {
    fn element(self) -> &'d Element {
        &self.document.elements[self.index]
    }

    pub(super) fn index(self) -> usize {
        self.index
    }

    /// The qualified name, prefix included.
    pub(super) fn name(self) -> &'d str {
        &self.document.text[self.element().name.range()]
    }

    /// The name's prefix with its colon; empty if it has none.
    pub(super) fn prefix(self) -> &'d str {
        self.name().find(':').map_or("", |colon| &self.name()[..=colon])
    }

    /// Where an attribute can be inserted: directly after the name, right for `>`, `/>` and any spacing.
    pub(super) fn name_end(self) -> usize {
        self.element().name.range().end
    }

    /// The whole element, from `<` to the last `>`.
    pub(super) fn range(self) -> Range<usize> {
        self.element().start_tag.range().start..self.element().end_tag.range().end
    }

    /// The whole element as it is written.
    pub(super) fn source(self) -> &'d str {
        &self.document.text[self.range()]
    }

    pub(super) fn is_self_closed(self) -> bool {
        self.element().end_tag.range().is_empty()
    }

    /// Where the end tag begins.
    pub(super) fn content_end(self) -> usize {
        self.element().end_tag.range().start
    }

    /// The start tag as it is written, without `/>` or `>`.
    pub(super) fn open_tag(self) -> &'d str {
        self.document.text[self.element().start_tag.range()]
            .trim_end_matches('>')
            .trim_end_matches('/')
            .trim_end()
    }

    /// The text before the element.
    pub(super) fn before(self) -> &'d str {
        &self.document.text[..self.range().start]
    }

    pub(super) fn has_text(self) -> bool {
        self.element().has_text
    }

    pub(super) fn children(self) -> impl Iterator<Item = Node<'d>> {
        let document = self.document;
        let next = |&index: &usize| document.elements[index].next_sibling.index();
        std::iter::successors(self.element().first_child.index(), next)
            .map(move |index| Node { document, index })
    }

    pub(super) fn children_named(self, name: &str) -> impl Iterator<Item = Node<'d>> {
        self.children().filter(move |child| child.name() == name)
    }

    pub(super) fn child(self, name: &str) -> Option<Node<'d>> {
        self.children_named(name).next()
    }

    pub(super) fn last_child(self) -> Option<Node<'d>> {
        let index = self.element().last_child.index()?;
        Some(Node { index, ..self })
    }

    /// An attribute's value with entities resolved.
    pub(super) fn attribute(self, name: &str) -> Option<Cow<'d, str>> {
        Some(entities::resolve(&self.document.text[self.value_range(name)?]))
    }

    /// Where an attribute's value is, between its quotes.
    pub(super) fn value_range(self, name: &str) -> Option<Range<usize>> {
        let (text, all) = (self.document.text, self.attributes());
        let found = if all.len() > WIDE {
            all.binary_search_by(|attribute| attribute.name(text).cmp(name)).ok()
        } else {
            all.iter().position(|attribute| attribute.name(text) == name)
        };
        Some(all[found?].value.range())
    }

    fn attributes(self) -> &'d [Attribute] {
        &self.document.attributes[self.element().attributes.range()]
    }

    /// The part of the name after the prefix, if the prefix (or the lack of one) stands for `namespace` here.
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
        self.attributes().iter().find_map(|attribute| {
            let prefix = attribute.name(text).strip_prefix("xmlns:")?;
            (text[attribute.value.range()] == *namespace).then_some(prefix)
        })
    }

    fn ancestors(self) -> impl Iterator<Item = Node<'d>> {
        let document = self.document;
        std::iter::successors(Some(self.index), |&index| document.elements[index].parent.index())
            .map(move |index| Node { document, index })
    }
}

/// The alias of a device.
pub(super) fn alias(device: Node<'_>) -> Option<Cow<'_, str>> {
    device.child("alias")?.attribute("name")
}
