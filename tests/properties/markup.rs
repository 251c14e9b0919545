//! XML as a tree that can be written in many hands.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub enum Item {
    Element(Element),
    /// Written as it is: a comment, CDATA, an instruction, a decoy.
    Raw(String),
}

#[derive(Clone, Debug, Default)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<Item>,
}

impl Element {
    pub fn new(name: &str, attributes: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { name: name.to_owned(), attributes: attributes.iter().map(owned).collect(), children: vec![] }
    }

    pub fn with(mut self, children: impl IntoIterator<Item = impl Into<Item>>) -> Self {
        self.children.extend(children.into_iter().map(Into::into));
        self
    }
}

impl From<Element> for Item {
    fn from(element: Element) -> Self {
        Self::Element(element)
    }
}

/// A way to write.
#[derive(Clone, Debug)]
pub struct Hand {
    /// Between elements; empty for one line.
    pub newline: &'static str,
    pub indent: &'static str,
    pub quote: char,
    /// `<a/>` for `<a></a>`.
    pub self_close: bool,
    /// Before `/>`, and around `=`.
    pub spaced: bool,
    pub prologue: &'static str,
    pub epilogue: &'static str,
}

impl Hand {
    /// Go's `MarshalIndent`, as KubeVirt calls it.
    pub const KUBEVIRT: Self = Self {
        newline: "\n",
        indent: "\t",
        quote: '"',
        self_close: false,
        spaced: false,
        prologue: "",
        epilogue: "",
    };

    pub fn write(&self, root: &Element) -> String {
        let mut xml = self.prologue.to_owned();
        self.element(root, 0, &mut xml);
        xml + self.epilogue
    }

    fn element(&self, element: &Element, depth: usize, xml: &mut String) {
        xml.extend(["<", &element.name]);
        for (name, value) in &element.attributes {
            let equals = if self.spaced { " = " } else { "=" };
            xml.extend([" ", name, equals]);
            xml.push(self.quote);
            xml.push_str(value);
            xml.push(self.quote);
        }
        if element.children.is_empty() && self.self_close {
            return xml.push_str(if self.spaced { " />" } else { "/>" });
        }
        xml.push('>');
        for child in &element.children {
            self.line(depth + 1, xml);
            match child {
                Item::Element(child) => self.element(child, depth + 1, xml),
                Item::Raw(text) => xml.push_str(text),
            }
        }
        if !element.children.is_empty() {
            self.line(depth, xml);
        }
        xml.extend(["</", &element.name, ">"]);
    }

    fn line(&self, depth: usize, xml: &mut String) {
        if !self.newline.is_empty() {
            xml.push_str(self.newline);
            xml.extend(std::iter::repeat_n(self.indent, depth));
        }
    }
}

pub fn hand() -> impl Strategy<Value = Hand> {
    let select = |texts: &[&'static str]| prop::sample::select(texts.to_vec());
    (
        select(&["\n", "\r\n", "", "\n\n"]),
        select(&["\t", "  ", ""]),
        prop::sample::select(vec!['"', '\'']),
        any::<bool>(),
        any::<bool>(),
        select(&["", "<?xml version='1.0' encoding='utf-8'?>\n", "<!-- <domain/> -->\n", "<?pi x?>"]),
        select(&["", "\n", "\r\n<!-- end -->\n", "<?pi?>"]),
    )
        .prop_map(|(newline, indent, quote, self_close, spaced, prologue, epilogue)| Hand {
            newline,
            indent,
            quote,
            self_close,
            spaced,
            prologue,
            epilogue,
        })
}
