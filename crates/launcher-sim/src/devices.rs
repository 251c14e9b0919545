//! Devices that KubeVirt or libvirt add between two calls. All of these edit the text, so the rest keeps
//! its bytes; they expect KubeVirt's own form, which is what every call's input has.

use std::collections::HashSet;

use roxmltree::{Document, Node};

/// How many interfaces KubeVirt provides for (`virtwrap/network/nichotplug.go`).
const HOTPLUG_INTERFACES: usize = 4;

/// The number of placeholders for a VMI with this many interfaces, on a machine type with PCIe hot-plug.
pub fn placeholders_for(vmi_interfaces: usize) -> usize {
    HOTPLUG_INTERFACES.saturating_sub(vmi_interfaces)
}

/// Appends `count` placeholder interfaces after the last interface, as main does for the first call of a
/// boot. libvirt then makes the root ports they need, and KubeVirt takes the placeholders out again.
pub fn with_placeholders(xml: &str, count: usize) -> String {
    let placeholder = |index: usize| {
        format!(
            "{}\n\t\t\t<alias name=\"placeholder-{index}\"></alias>\n\t\t</interface>",
            open_placeholder(index)
        )
    };
    append_interfaces(xml, &(0..count).map(placeholder).collect::<Vec<_>>())
}

/// The placeholders of the releases, which have no alias.
pub fn with_unaliased_placeholders(xml: &str, count: usize) -> String {
    let placeholder = |index: usize| format!("{}\n\t\t</interface>", open_placeholder(index));
    append_interfaces(xml, &(0..count).map(placeholder).collect::<Vec<_>>())
}

fn open_placeholder(index: usize) -> String {
    [
        "<interface type=\"ethernet\">",
        "<source></source>",
        &format!("<target dev=\"placeholder-{index}\" managed=\"no\"></target>"),
        "<model type=\"virtio-non-transitional\"></model>",
    ]
    .join("\n\t\t\t")
}

/// Interfaces are the first devices, after an emulator if there is one.
fn append_interfaces(xml: &str, interfaces: &[String]) -> String {
    append(xml, &["interface", "emulator"], interfaces)
}

/// Adds `count` empty root ports, which let a later device be hot-plugged (`docs/pci-topology.md`).
pub fn with_root_ports(xml: &str, count: usize) -> String {
    let document = parse(xml);
    let pci = |node: &Node<'_, '_>| node.has_tag_name("controller") && node.attribute("type") == Some("pci");
    // Index 0 is the root complex, which libvirt adds by itself.
    let first = 1 + devices(&document).children().filter(pci).count();
    let port =
        |index| format!("<controller type=\"pci\" index=\"{index}\" model=\"pcie-root-port\"></controller>");
    let kinds = ["controller", "panic", "hostdev", "channel", "interface", "emulator"];
    append(xml, &kinds, &(first..first + count).map(port).collect::<Vec<_>>())
}

/// Gives every interface that has none a PCI address behind a root port of its own, as libvirt's inactive
/// XML has it.
pub fn assign_pci_addresses(xml: &str) -> String {
    let document = parse(xml);
    let mut used: HashSet<String> =
        document.descendants().filter_map(|node| node.attribute("bus").map(str::to_owned)).collect();
    let mut edited = xml.to_owned();
    let bare: Vec<_> = devices(&document).children().filter(|node| is_bare_interface(*node)).collect();
    let buses: Vec<_> = bare.iter().map(|_| next_bus(&mut used)).collect();
    // From the end, so that the offsets before an edit stay right.
    for (interface, bus) in bare.iter().zip(buses).rev() {
        if let Some(first) = interface.first_element_child() {
            edited.insert_str(first.range().start, &format!("{}\n\t\t\t", pci_address(&bus)));
        }
    }
    edited
}

fn is_bare_interface(node: Node<'_, '_>) -> bool {
    node.has_tag_name("interface") && !node.children().any(|child| child.has_tag_name("address"))
}

fn next_bus(used: &mut HashSet<String>) -> String {
    let free = (1..=u8::MAX).map(|bus| format!("0x{bus:02x}")).find(|bus| !used.contains(bus));
    let bus = free.expect("a PCI bus is left");
    used.insert(bus.clone());
    bus
}

fn pci_address(bus: &str) -> String {
    format!("<address type=\"pci\" domain=\"0x0000\" bus=\"{bus}\" slot=\"0x00\" function=\"0x0\"></address>")
}

/// Inserts `elements` after the last device of the first of `kinds` that is present, else before all devices.
fn append(xml: &str, kinds: &[&str], elements: &[String]) -> String {
    if elements.is_empty() {
        return xml.to_owned();
    }
    let document = parse(xml);
    let devices = devices(&document);
    let last = |kind: &&str| devices.children().rfind(|node| node.has_tag_name(*kind));
    let (at, text) = match (kinds.iter().find_map(last), devices.first_element_child()) {
        (Some(last), _) => {
            (last.range().end, elements.iter().map(|element| format!("\n\t\t{element}")).collect())
        }
        (None, Some(first)) => {
            (first.range().start, elements.iter().map(|element| format!("{element}\n\t\t")).collect())
        }
        (None, None) => {
            (devices.range().end - "</devices>".len(), format!("\n\t\t{}\n\t", elements.join("\n\t\t")))
        }
    };
    let mut edited = xml.to_owned();
    edited.insert_str(at, &text);
    edited
}

fn parse(xml: &str) -> Document<'_> {
    Document::parse(xml).expect("the input of a call is well-formed")
}

fn devices<'a, 'i>(document: &'a Document<'i>) -> Node<'a, 'i> {
    let devices = document.root_element().children().find(|node| node.has_tag_name("devices"));
    devices.expect("a domain has <devices>")
}
