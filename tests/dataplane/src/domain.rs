//! Reading and, for the tests that need a wrong one, spoiling a domain.

use anyhow::{Context, Result};
use roxmltree::Document;

/// Socket paths of the vhost-user NICs, in order.
pub fn socket_paths(xml: &str) -> Result<Vec<String>> {
    let tree = Document::parse(xml)?;
    let interfaces = tree.descendants().filter(|node| node.has_tag_name("interface"));
    let ours = interfaces.filter(|node| node.attribute("type") == Some("vhostuser"));
    let sources = ours.flat_map(|node| node.children()).filter(|node| node.has_tag_name("source"));
    Ok(sources.filter_map(|node| node.attribute("path")).map(str::to_owned).collect())
}

/// PCI addresses (`bus`) of the vhost-user NICs, in order.
pub fn pci_buses(xml: &str) -> Result<Vec<String>> {
    let tree = Document::parse(xml)?;
    let interfaces = tree.descendants().filter(|node| node.has_tag_name("interface"));
    let ours = interfaces.filter(|node| node.attribute("type") == Some("vhostuser"));
    let addresses = ours.flat_map(|node| node.children()).filter(|node| node.has_tag_name("address"));
    Ok(addresses.filter_map(|node| node.attribute("bus")).map(str::to_owned).collect())
}

/// The domain without everything that makes guest memory shared.
pub fn without_shared_memory(xml: &str) -> Result<String> {
    let without = without_element(xml, "memoryBacking")?;
    Ok(without.replace(" memAccess=\"shared\"", "").replace(" memAccess='shared'", ""))
}

/// The domain without the first element of that name, wherever it stands.
pub fn without_element(xml: &str, name: &str) -> Result<String> {
    let tree = Document::parse(xml)?;
    let element = tree.descendants().find(|node| node.has_tag_name(name));
    let range = element.with_context(|| format!("the domain has <{name}>"))?.range();
    Ok([&xml[..range.start], &xml[range.end..]].concat())
}

/// The domain with the NICs' announcement left to the switch: QEMU then has OVS send a RARP in the guest's name.
pub fn with_guest_announce_off(xml: &str) -> Result<String> {
    let tree = Document::parse(xml)?;
    let aliases = tree.descendants().filter(|node| node.has_tag_name("alias"));
    let alias = aliases.filter_map(|node| node.attribute("name")).find(|name| name.starts_with("ua-"));
    let alias = alias.context("the domain has a NIC with an alias")?;
    let off = format!(
        "<qemu:override><qemu:device alias=\"{alias}\"><qemu:frontend>\
         <qemu:property name=\"guest_announce\" type=\"bool\" value=\"false\"/>\
         </qemu:frontend></qemu:device></qemu:override>\n</domain>"
    );
    let end = xml.rfind("</domain>").context("the domain ends")?;
    let rooted = format!("{}{off}", &xml[..end]);
    let declared = rooted.contains("xmlns:qemu");
    let namespace = "<domain xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\"";
    Ok(if declared { rooted } else { rooted.replacen("<domain", namespace, 1) })
}
