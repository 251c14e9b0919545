//! The guest's MTU as a QEMU device property.
//!
//! libvirt's own `<mtu>` cannot be used: for a vhostuser interface it starts no VM without privileges ("Cannot set
//! interface MTU on '(null)'", libvirt 9.0 and 11.3). A `<qemu:override>` of `host_mtu` on the NIC's alias does what
//! is meant, on both sides of a migration.

use std::collections::BTreeSet;

use super::{
    document::Node,
    fragment,
    layout::append_children,
    libvirt::Domain,
    nic::Nic,
    overrides::{Overrides, PROPERTY, QEMU_NAMESPACE, is_part, parts},
    splice::Edit,
};

/// Edits that give each NIC exactly the `host_mtu` it wants, or none.
///
/// Existing elements are reused: libvirt's schema refuses a second `<qemu:override>`, and of two properties with one
/// name QEMU silently takes the last.
pub(super) fn edits(domain: &Domain<'_>, nics: &[Nic]) -> Vec<Edit> {
    let existing = Overrides::of(domain);
    let mut edits = Vec::new();
    let mut removed = Removed::default();
    let mut new_devices = Vec::new();
    for nic in nics {
        let alias = nic.network.alias();
        let mut properties = existing.properties(&alias);
        let wanted = nic.mtu.map(|mtu| mtu.bytes().to_string());
        match (properties.next(), wanted) {
            (Some(first), Some(mtu)) => {
                edits.push(Edit::replace(first.range(), property(first.prefix(), &mtu)))
            }
            (Some(first), None) => removed.add(first),
            (None, Some(mtu)) => match existing.device(&alias) {
                Some(device) => edits.push(add_to_device(device, &mtu)),
                None => new_devices.push((nic.network.alias(), mtu)),
            },
            (None, None) => {}
        }
        properties.for_each(|property| removed.add(property));
    }
    edits.extend(removed.edits(&existing));
    if !new_devices.is_empty() {
        edits.extend(add_devices(domain, &existing, &new_devices, &removed));
    }
    edits
}

fn property(prefix: &str, mtu: &str) -> String {
    let mut xml = String::new();
    let name = format!("{prefix}property");
    fragment::element(&mut xml, &name, &[("name", &PROPERTY), ("type", &"unsigned"), ("value", &mtu)]);
    xml
}

fn frontend(prefix: &str, mtu: &str) -> String {
    format!("<{prefix}frontend>{}</{prefix}frontend>", property(prefix, mtu))
}

/// Aliases are made of network names, so they need no escaping.
fn device(prefix: &str, alias: &str, mtu: &str) -> String {
    format!(r#"<{prefix}device alias="{alias}">{}</{prefix}device>"#, frontend(prefix, mtu))
}

fn add_to_device(device: Node<'_>, mtu: &str) -> Edit {
    match parts(device, "frontend").next() {
        Some(frontend) => append_children(frontend, &[property(frontend.prefix(), mtu)]),
        None => append_children(device, &[frontend(device.prefix(), mtu)]),
    }
}

fn add_devices(
    domain: &Domain<'_>,
    existing: &Overrides<'_>,
    devices: &[(String, String)],
    removed: &Removed,
) -> Vec<Edit> {
    let of = |prefix: &str| devices.iter().map(|(alias, mtu)| device(prefix, alias, mtu)).collect::<Vec<_>>();
    let survivor = existing.list.iter().find(|node| !removed.takes_override(**node));
    if let Some(existing) = survivor {
        return vec![append_children(*existing, &of(existing.prefix()))];
    }
    let root = domain.root();
    let (prefix, declaration) = match root.declared_prefix(QEMU_NAMESPACE) {
        Some(prefix) => (format!("{prefix}:"), None),
        None => {
            let prefix = free_prefix(domain);
            let declaration = format!(r#" xmlns:{prefix}="{QEMU_NAMESPACE}""#);
            (format!("{prefix}:"), Some(Edit::insert(root.name_end(), declaration)))
        }
    };
    let xml = format!("<{prefix}override>{}</{prefix}override>", of(&prefix).concat());
    let mut edits = vec![append_children(root, &[xml])];
    edits.extend(declaration);
    edits
}

/// One that nothing in the document uses: declaring a prefix already in use would give meaning to elements that
/// libvirt ignores.
fn free_prefix(domain: &Domain<'_>) -> String {
    let used: BTreeSet<&str> = domain.document().nodes().map(Node::prefix).collect();
    let mut prefix = "qemu".to_owned();
    while used.contains(format!("{prefix}:").as_str())
        || domain.root().attribute(&format!("xmlns:{prefix}")).is_some()
    {
        prefix.push('_');
    }
    prefix
}

/// Properties that go, by their place in the document.
#[derive(Default)]
struct Removed(BTreeSet<usize>);

impl Removed {
    fn add(&mut self, property: Node<'_>) {
        self.0.insert(property.index());
    }

    /// Removes the properties, and with them each frontend, device and override that has nothing else inside: libvirt
    /// refuses a device without a frontend. What goes as a whole is one edit, since two must not overlap.
    fn edits(&self, existing: &Overrides<'_>) -> Vec<Edit> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut edits = Vec::new();
        let mut remove = |node: Node<'_>| edits.push(Edit::remove(node.range()));
        for node in &existing.list {
            if self.takes_override(*node) {
                remove(*node);
                continue;
            }
            for device in parts(*node, "device") {
                if self.takes_device(device) {
                    remove(device);
                    continue;
                }
                for frontend in parts(device, "frontend") {
                    if self.takes_frontend(frontend) {
                        remove(frontend);
                    } else {
                        frontend.children().filter(|child| self.takes(*child)).for_each(&mut remove);
                    }
                }
            }
        }
        edits
    }

    fn takes_override(&self, node: Node<'_>) -> bool {
        loses_all(node, |child| is_part(child, "device") && self.takes_device(child))
    }

    fn takes_device(&self, node: Node<'_>) -> bool {
        loses_all(node, |child| is_part(child, "frontend") && self.takes_frontend(child))
    }

    fn takes_frontend(&self, node: Node<'_>) -> bool {
        loses_all(node, |child| self.takes(child))
    }

    fn takes(&self, property: Node<'_>) -> bool {
        self.0.contains(&property.index())
    }
}

fn loses_all(node: Node<'_>, child_goes: impl Fn(Node<'_>) -> bool) -> bool {
    !node.has_text() && node.children().next().is_some() && node.children().all(child_goes)
}
