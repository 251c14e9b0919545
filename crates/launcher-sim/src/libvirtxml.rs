//! How libvirtxml writes a domain that it has read (`libvirt.org/go/libvirtxml`, `xmlutil.go` and Go's `encoding/xml`): two
//! spaces a level, paired end tags, no comment, no declaration, metadata as it was, and QEMU's elements in the default
//! namespace, without a prefix.
//!
//! Not imitated: the order of children and attributes, and that it drops what it does not know.

use roxmltree::{Document, Node};

use super::reduce::escape;

/// The rendering of a domain.
///
/// # Panics
///
/// If `xml` is not well-formed.
pub fn render(xml: &str) -> String {
    let document = Document::parse(xml).unwrap_or_else(|error| panic!("libvirtxml cannot parse it: {error}"));
    let mut out = String::new();
    element(document.root_element(), 0, &mut out);
    out
}

fn element(node: Node<'_, '_>, depth: usize, out: &mut String) {
    let name = node.tag_name().name();
    out.push_str(&format!("{}<{name}", "  ".repeat(depth)));
    let namespace = node.tag_name().namespace();
    if namespace != node.parent().and_then(|parent| parent.tag_name().namespace())
        && let Some(namespace) = namespace
    {
        attribute("xmlns", namespace, out);
    }
    node.attributes().for_each(|found| attribute(found.name(), found.value(), out));
    out.push('>');
    match node.children().any(|child| child.is_element()) {
        true if name == "metadata" => out.push_str(inner(node)),
        true => {
            for child in node.children().filter(Node::is_element) {
                out.push('\n');
                element(child, depth + 1, out);
            }
            out.push_str(&format!("\n{}", "  ".repeat(depth)));
        }
        false => escape(node.text().unwrap_or_default().trim(), out),
    }
    out.push_str(&format!("</{name}>"));
}

fn attribute(name: &str, value: &str, out: &mut String) {
    out.push_str(&format!(" {name}=\""));
    escape(value, out);
    out.push('"');
}

/// What is between an element's tags, as it was read.
fn inner<'i>(node: Node<'_, 'i>) -> &'i str {
    let text = node.document().input_text();
    let (first, last) = (node.first_child(), node.last_child());
    first.zip(last).map_or("", |(first, last)| &text[first.range().start..last.range().end])
}

#[cfg(test)]
mod tests {
    use super::{super::reduce::QEMU_NS, *};

    #[test]
    fn qemus_elements_lose_their_prefix() {
        let domain = format!(
            "<domain type='kvm' xmlns:qemu='{QEMU_NS}'>\n<!-- x -->\n\t<name>a</name>\n\t<metadata>\n\t\t<k:v \
             xmlns:k='urn:k'/>\n\t</metadata>\n<qemu:override><qemu:device alias='ua-x'/></qemu:override></domain>"
        );
        let rendered = "<domain type=\"kvm\">\n  <name>a</name>\n  <metadata>\n\t\t<k:v xmlns:k='urn:k'/>\n\t</metadata>\n  \
                        <override xmlns=\"http://libvirt.org/schemas/domain/qemu/1.0\">\n    <device alias=\"ua-x\">\
                        </device>\n  </override>\n</domain>";
        assert_eq!(render(&domain), rendered);
        assert_eq!(render(rendered), rendered);
    }
}
