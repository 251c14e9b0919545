//! What KubeVirt makes of a sidecar's answer before the next call sees it.
//!
//! libvirt gets the answer's bytes, but KubeVirt goes on with what its own structs hold of them
//! (`SetDomainSpecStrWithHooks` in `virtwrap/util/libvirt_helper.go`), and sends `xml.MarshalIndent` of that
//! (`pkg/hooks/manager.go`): tabs, double quotes, no self-closed tag, no declaration, no comment.
//!
//! Not imitated: an element given twice is written twice where Go keeps one, and numbers are not checked.

use roxmltree::{Document, Node};

use super::schema::{Child, DOMAIN, Keep, Namespace};

const KUBEVIRT_NS: &str = "http://kubevirt.io";
pub(super) const QEMU_NS: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// The input of a later call, made of the previous answer: releases up to 1.9.
///
/// # Panics
///
/// If `xml` is not well-formed. virt-launcher reports that as an error of the hook.
pub fn reduce(xml: &str) -> String {
    rewrite(xml, false)
}

/// The same in main, which reads `qemu:commandline` out of the answer once more.
///
/// # Panics
///
/// As [`reduce`].
pub fn reduce_keeping_qemu_commandline(xml: &str) -> String {
    rewrite(xml, true)
}

fn rewrite(xml: &str, qemu: bool) -> String {
    let document = parse(xml);
    let root = Element {
        tag: "domain",
        node: Some(document.root_element()),
        keep: &DOMAIN,
        namespace: Namespace::Any,
    };
    let mut encoder = Encoder { out: String::new(), qemu };
    encoder.element(&root, 0);
    encoder.out
}

/// An answer that KubeVirt can parse; its root is `<domain>`.
pub(super) fn parse(answer: &str) -> Document<'_> {
    let document =
        Document::parse(answer).unwrap_or_else(|error| panic!("KubeVirt cannot parse the answer: {error}"));
    assert_eq!(document.root_element().tag_name().name(), "domain", "the root KubeVirt expects");
    document
}

/// An element to be written: the one that was read, or `None` for a struct that Go writes in any case.
struct Element<'a, 'i> {
    tag: &'a str,
    node: Option<Node<'a, 'i>>,
    keep: &'a Keep,
    namespace: Namespace,
}

struct Encoder {
    out: String,
    /// Whether QEMU's elements are kept.
    qemu: bool,
}

impl Encoder {
    fn element(&mut self, element: &Element<'_, '_>, depth: usize) {
        let children = self.children(element);
        self.out.push('<');
        self.out.push_str(element.tag);
        self.attributes(element);
        // The field for this attribute is the last of the root's.
        if children.iter().any(|child| child.tag == "qemu:commandline") {
            self.attribute("xmlns:qemu", QEMU_NS);
        }
        self.out.push('>');
        for child in &children {
            self.line(depth + 1);
            self.element(child, depth + 1);
        }
        if children.is_empty() {
            escape(&text(element), &mut self.out);
        } else {
            self.line(depth);
        }
        self.out.push_str(&format!("</{}>", element.tag));
    }

    fn children<'a, 'i>(&self, element: &Element<'a, 'i>) -> Vec<Element<'a, 'i>> {
        let Keep::Only(_, fields) = element.keep else {
            return same_namespace(element.node);
        };
        fields.iter().flat_map(|field| self.field(element.node, field)).collect()
    }

    fn field<'a, 'i>(&self, parent: Option<Node<'a, 'i>>, field: &'a Child) -> Vec<Element<'a, 'i>> {
        let element = |node| Element { tag: field.tag, node, keep: &field.keep, namespace: field.namespace };
        let nodes = parent.into_iter().flat_map(|parent| parent.children());
        let mut found: Vec<_> =
            nodes.filter(|node| self.fills(field, *node)).map(|node| element(Some(node))).collect();
        if found.is_empty() && field.always {
            found.push(element(None));
        }
        found
    }

    fn fills(&self, field: &Child, node: Node<'_, '_>) -> bool {
        let local = field.tag.rsplit(':').next();
        let namespace = node.tag_name().namespace();
        node.is_element()
            && Some(node.tag_name().name()) == local
            && match field.namespace {
                Namespace::Any => true,
                Namespace::KubeVirt => namespace == Some(KUBEVIRT_NS),
                Namespace::Qemu => self.qemu && namespace == Some(QEMU_NS),
            }
    }

    fn attributes(&mut self, element: &Element<'_, '_>) {
        if element.namespace == Namespace::KubeVirt {
            self.attribute("xmlns", KUBEVIRT_NS);
        }
        match element.keep {
            Keep::All => {
                let attributes = element.node.into_iter().flat_map(|node| node.attributes());
                for attribute in attributes.filter(|attribute| attribute.namespace().is_none()) {
                    self.attribute(attribute.name(), attribute.value());
                }
            }
            Keep::Only(fields, _) => {
                for field in *fields {
                    let value = element.node.and_then(|node| node.attribute(field.name)).unwrap_or_default();
                    if field.always || !value.is_empty() {
                        self.attribute(field.name, value);
                    }
                }
            }
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push_str(&format!(" {name}=\""));
        escape(value, &mut self.out);
        self.out.push('"');
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n('\t', depth));
    }
}

/// KubeVirt's schema has no element of another namespace below one of its own.
fn same_namespace<'a, 'i>(parent: Option<Node<'a, 'i>>) -> Vec<Element<'a, 'i>> {
    let Some(parent) = parent else {
        return Vec::new();
    };
    let own = |node: &Node<'_, '_>| {
        node.is_element() && node.tag_name().namespace() == parent.tag_name().namespace()
    };
    let whole = |node: Node<'a, 'i>| Element {
        tag: node.tag_name().name(),
        node: Some(node),
        keep: &Keep::All,
        namespace: Namespace::Any,
    };
    parent.children().filter(own).map(whole).collect()
}

/// Only an unmodelled element can have text; blanks in it are indentation.
fn text(element: &Element<'_, '_>) -> String {
    let (Keep::All, Some(node)) = (element.keep, element.node) else {
        return String::new();
    };
    let text: String =
        node.children().filter_map(|child| child.is_text().then(|| child.text()).flatten()).collect();
    if text.trim().is_empty() { String::new() } else { text }
}

/// Go's `xml.EscapeText`, which serves attributes too.
pub(super) fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' => out.push_str("&#x9;"),
            '\n' => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            other => out.push(other),
        }
    }
}
