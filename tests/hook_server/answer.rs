//! What the answers must be, in literal bytes.

use roxmltree::{Document, Node};

use crate::DOMAIN;

/// The links, by name and target.
pub const LINKS: [(&str, &str); 2] =
    [("pod0234249e469", "/var/run/vhost-user/54ed0871"), ("pod34040c6f57d", "/var/run/vhost-user/d331da48")];

const MEMORY: &str = r#"<memoryBacking><source type="memfd"/><access mode="shared"/></memoryBacking>"#;

const DPDK0: &str = concat!(
    r#"<interface type="vhostuser"><source type="unix" "#,
    r#"path="/var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod0234249e469/vhost.sock" mode="server"/>"#,
    r#"<mac address="02:00:00:0a:00:00"/><model type="virtio-non-transitional"/>"#,
    r#"<driver name="vhost" rx_queue_size="1024" tx_queue_size="1024"/><rom enabled="no"/>"#,
    r#"<alias name="ua-dpdk0"/></interface>"#
);

const DPDK1: &str = concat!(
    r#"<interface type="vhostuser"><source type="unix" "#,
    r#"path="/var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod34040c6f57d/vhost.sock" mode="server"/>"#,
    r#"<mac address="02:00:00:0a:01:01"/><model type="virtio-non-transitional"/>"#,
    r#"<driver name="vhost" rx_queue_size="1024" tx_queue_size="1024"/><rom enabled="no"/>"#,
    r#"<alias name="ua-dpdk1"/></interface>"#
);

const MTU: &str = concat!(
    r#"<qemu:override><qemu:device alias="ua-dpdk1"><qemu:frontend>"#,
    r#"<qemu:property name="host_mtu" type="unsigned" value="9000"/>"#,
    r#"</qemu:frontend></qemu:device></qemu:override>"#
);

/// The answer to a domain of the converter's, which does not have our NICs yet.
pub fn to(fresh: &str) -> String {
    assert!(!fresh.contains("ua-dpdk"));
    fresh
        .replacen("\n\t<devices>", &format!("\n\t{MEMORY}\n\t<devices>"), 1)
        .replacen("</interface>", &format!("</interface>\n\t\t{DPDK0}\n\t\t{DPDK1}"), 1)
        .replacen("\n</domain>", &format!("\n\t{MTU}\n</domain>"), 1)
}

/// The answer to [`DOMAIN`].
pub fn to_domain() -> String {
    to(DOMAIN)
}

/// Our two NICs as another parser reads them, without their PCI addresses.
pub fn nics(xml: &str) -> Vec<String> {
    own(&Document::parse(xml).unwrap()).iter().map(|nic| text(*nic, false)).collect()
}

/// Our two NICs' PCI addresses, as far as they have one.
pub fn addresses(xml: &str) -> Vec<Option<String>> {
    let document = Document::parse(xml).unwrap();
    own(&document)
        .iter()
        .map(|nic| nic.children().find(|node| node.has_tag_name("address")).map(|node| text(node, true)))
        .collect()
}

/// The MTU override as another parser reads it.
pub fn overrides(xml: &str) -> Vec<String> {
    let document = Document::parse(xml).unwrap();
    document
        .root_element()
        .children()
        .filter(|node| node.tag_name().name() == "override")
        .map(|node| text(node, true))
        .collect()
}

/// `memoryBacking` as another parser reads it.
pub fn memory(xml: &str) -> Vec<String> {
    let document = Document::parse(xml).unwrap();
    document
        .root_element()
        .children()
        .filter(|node| node.has_tag_name("memoryBacking"))
        .map(|node| text(node, true))
        .collect()
}

fn own<'a, 'i>(document: &'a Document<'i>) -> Vec<Node<'a, 'i>> {
    let ours = |node: &Node<'_, '_>| {
        node.children().any(|child| {
            child.has_tag_name("alias")
                && child.attribute("name").is_some_and(|name| name.starts_with("ua-dpdk"))
        })
    };
    document.descendants().filter(|node| node.has_tag_name("interface") && ours(node)).collect()
}

/// Tags and attributes, in one canonical spelling.
fn text(node: Node<'_, '_>, with_address: bool) -> String {
    let attributes: String =
        node.attributes().map(|found| format!(" {}={:?}", found.name(), found.value())).collect();
    let children: String = node
        .children()
        .filter(|child| child.is_element() && (with_address || !child.has_tag_name("address")))
        .map(|child| text(child, with_address))
        .collect();
    format!("<{}{attributes}>{children}</>", node.tag_name().name())
}
