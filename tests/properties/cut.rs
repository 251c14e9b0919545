//! What is left of a domain without everything the sidecar may touch, for comparing an answer with its input.

use std::ops::Range;

use roxmltree::{Document, Node};

use crate::{domain::QEMU, judge, vm::Vm};

/// The bytes that the sidecar has no business with.
///
/// Cut are: our NICs, `access` and `source` of memory, `memAccess` of cells, `host_mtu` of our NICs, each with the
/// white space in front of it, and what then has nothing left inside.
pub fn foreign_part(vm: &Vm, xml: &str) -> String {
    let document = Document::parse(xml).unwrap();
    let mut ranges = Vec::new();
    let aliases: Vec<_> = vm.nics().map(|(nic, _)| format!("ua-{}", nic.name)).collect();
    let is_ours = |alias: Option<&str>| alias.is_some_and(|alias| aliases.iter().any(|own| own == alias));
    let own = judge::interfaces(&document).into_iter().filter(|found| is_ours(judge::alias(*found)));
    let mut cut: Vec<Node<'_, '_>> = own.collect();
    for node in document.root_element().children() {
        match node.tag_name().name() {
            "memoryBacking" => cut.extend(
                node.children().filter(|child| child.has_tag_name("access") || child.has_tag_name("source")),
            ),
            "cpu" => ranges.extend(node.descendants().filter_map(mem_access)),
            "override" if node.tag_name().namespace() == Some(QEMU) => {
                let devices = node.children().filter(|device| is_ours(device.attribute("alias")));
                cut.extend(devices.flat_map(|device| device.descendants()).filter(is_mtu));
            }
            _ => {}
        }
    }
    ranges.extend(cut.iter().map(|node| with_space(xml, node.range())));
    let emptied = document
        .root_element()
        .children()
        .filter(|node| ["memoryBacking", "override"].contains(&node.tag_name().name()));
    for node in emptied {
        collect_emptied(node, &cut, xml, &mut ranges);
    }
    without_declaration(&remove(xml, ranges))
}

fn mem_access(node: Node<'_, '_>) -> Option<Range<usize>> {
    let attribute = node.attributes().find(|attribute| attribute.name() == "memAccess")?;
    let text = node.document().input_text();
    Some(with_space(text, attribute.range()))
}

fn is_mtu(node: &Node<'_, '_>) -> bool {
    node.has_tag_name((QEMU, "property")) && node.attribute("name") == Some("host_mtu")
}

fn with_space(xml: &str, range: Range<usize>) -> Range<usize> {
    xml[..range.start].trim_end_matches([' ', '\t', '\r', '\n']).len()..range.end
}

/// Goes as deep as an override is: device, frontend, property.
fn collect_emptied(node: Node<'_, '_>, cut: &[Node<'_, '_>], xml: &str, ranges: &mut Vec<Range<usize>>) {
    if is_emptied(node, cut) {
        ranges.push(with_space(xml, node.range()));
    }
    for child in node.children().filter(Node::is_element) {
        collect_emptied(child, cut, xml, ranges);
    }
}

fn is_emptied(node: Node<'_, '_>, cut: &[Node<'_, '_>]) -> bool {
    let vessel = ["memoryBacking", "override", "device", "frontend"].contains(&node.tag_name().name());
    cut.contains(&node)
        || vessel
            && node.children().all(|child| match child.text() {
                Some(text) => text.trim().is_empty(),
                None => is_emptied(child, cut),
            })
}

fn remove(xml: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut left = String::new();
    let mut at = 0;
    for range in ranges {
        left.push_str(xml.get(at..range.start).unwrap_or_default());
        at = at.max(range.end);
    }
    left + &xml[at..]
}

/// Without the namespace declaration that we put first into the root, and with one way to write "no devices".
fn without_declaration(xml: &str) -> String {
    let mut xml = xml.to_owned();
    for prefix in ["qemu", "qemu_"] {
        xml = xml.replacen(&format!("<domain xmlns:{prefix}=\"{QEMU}\""), "<domain", 1);
    }
    for empty in ["<devices/>", "<devices />"] {
        xml = xml.replacen(empty, "<devices></devices>", 1);
    }
    if let (Some(start), Some(end)) = (xml.rfind("<devices>"), xml.rfind("</devices>"))
        && start < end
        && xml[start + "<devices>".len()..end].trim().is_empty()
    {
        xml.replace_range(start + "<devices>".len()..end, "");
    }
    xml
}

/// The same without the white space between tags.
pub fn without_space(xml: &str) -> String {
    let mut left = String::new();
    for (index, part) in xml.split('>').enumerate() {
        if index > 0 {
            left.push('>');
        }
        left.push_str(part.trim_start());
    }
    left
}
