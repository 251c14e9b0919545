//! The guest's MTU as a QEMU device property.
//!
//! libvirt's own `<mtu>` cannot be used: for a vhostuser interface it starts no VM without privileges ("Cannot set
//! interface MTU on '(null)'", libvirt 9.0 and 11.3). A `<qemu:override>` of `host_mtu` on the NIC's alias does what
//! is meant, on both sides of a migration.

use super::{Domain, append_children, document::Node, fragment, nic::Nic, splice::Edit};

/// libvirt's namespace for QEMU-specific parts of a domain.
const QEMU_NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

const PROPERTY: &str = "host_mtu";

/// Edits that give each NIC exactly the `host_mtu` it wants, or none.
///
/// What is there is merged with: a second `<qemu:override>` would be refused by libvirt's schema, a second property
/// of one name silently wins.
pub(super) fn edits(domain: &Domain<'_>, nics: &[Nic]) -> Vec<Edit> {
    let existing = Overrides::of(domain);
    let mut edits = Vec::new();
    let mut removed = Vec::new();
    let mut new_devices = Vec::new();
    for nic in nics {
        let mut properties = existing.properties(&nic.network.alias()).into_iter();
        let wanted = nic.mtu.map(|mtu| mtu.bytes().to_string());
        match (properties.next(), wanted) {
            (Some(first), Some(mtu)) => {
                edits.push(Edit::replace(first.range(), property(prefix(first), &mtu)))
            }
            (Some(first), None) => removed.push(first),
            (None, Some(mtu)) => match existing.device(&nic.network.alias()) {
                Some(device) => edits.push(add_to_device(device, &mtu)),
                None => new_devices.push((nic.network.alias(), mtu)),
            },
            (None, None) => {}
        }
        removed.extend(properties);
    }
    edits.extend(removals(&existing, &removed));
    if !new_devices.is_empty() {
        edits.extend(add_devices(domain, &existing, &new_devices, &removed));
    }
    edits
}

/// The `<qemu:override>` elements of the domain, whatever their prefix is.
struct Overrides<'d>(Vec<Node<'d>>);

impl<'d> Overrides<'d> {
    fn of(domain: &'d Domain<'_>) -> Self {
        Self(qemu_children(domain.root(), "override").collect())
    }

    fn devices(&self) -> impl Iterator<Item = Node<'d>> {
        self.0.iter().flat_map(|node| qemu_children(*node, "device"))
    }

    fn devices_of(&self, alias: &str) -> impl Iterator<Item = Node<'d>> {
        self.devices().filter(move |device| device.attribute("alias").as_deref() == Some(alias))
    }

    fn device(&self, alias: &str) -> Option<Node<'d>> {
        self.devices_of(alias).next()
    }

    fn properties(&self, alias: &str) -> Vec<Node<'d>> {
        self.devices_of(alias)
            .flat_map(|device| qemu_children(device, "frontend"))
            .flat_map(|frontend| qemu_children(frontend, "property"))
            .filter(|property| property.attribute("name").as_deref() == Some(PROPERTY))
            .collect()
    }
}

fn qemu_children<'d>(node: Node<'d>, local: &'static str) -> impl Iterator<Item = Node<'d>> {
    node.children().filter(move |child| is_part(*child, local))
}

/// The prefix of an element with its colon; empty for the default namespace.
fn prefix(node: Node<'_>) -> &str {
    node.name().find(':').map_or("", |colon| &node.name()[..=colon])
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
    match qemu_children(device, "frontend").next() {
        Some(frontend) => append_children(frontend, &[property(prefix(frontend), mtu)]),
        None => append_children(device, &[frontend(prefix(device), mtu)]),
    }
}

fn add_devices(
    domain: &Domain<'_>,
    existing: &Overrides<'_>,
    devices: &[(String, String)],
    removed: &[Node<'_>],
) -> Vec<Edit> {
    let of = |prefix: &str| devices.iter().map(|(alias, mtu)| device(prefix, alias, mtu)).collect::<Vec<_>>();
    let survivor = existing.0.iter().find(|node| !override_goes(**node, removed));
    if let Some(existing) = survivor {
        return vec![append_children(*existing, &of(prefix(*existing)))];
    }
    let root = domain.root();
    let (prefix, declaration) = match root.declared_prefix(QEMU_NAMESPACE) {
        Some(prefix) => (format!("{prefix}:"), None),
        None => {
            let prefix = free_prefix(root);
            let declaration = format!(r#" xmlns:{prefix}="{QEMU_NAMESPACE}""#);
            (format!("{prefix}:"), Some(Edit::insert(root.name_end(), declaration)))
        }
    };
    let xml = format!("<{prefix}override>{}</{prefix}override>", of(&prefix).concat());
    let mut edits = vec![append_children(root, &[xml])];
    edits.extend(declaration);
    edits
}

/// One that nothing in the document uses: declaring a prefix that somebody forgot to would bring dead elements to life.
fn free_prefix(root: Node<'_>) -> String {
    let taken =
        |prefix: &str| root.attribute(&format!("xmlns:{prefix}")).is_some() || root.uses_prefix(prefix);
    let mut prefix = "qemu".to_owned();
    while taken(&prefix) {
        prefix.push('_');
    }
    prefix
}

/// Removes properties, and with them each frontend, device and override that has nothing else inside.
fn removals(existing: &Overrides<'_>, removed: &[Node<'_>]) -> Vec<Edit> {
    let mut ranges = Vec::new();
    for node in &existing.0 {
        if override_goes(*node, removed) {
            ranges.push(node.range());
            continue;
        }
        for device in qemu_children(*node, "device") {
            if device_goes(device, removed) {
                ranges.push(device.range());
                continue;
            }
            for frontend in qemu_children(device, "frontend") {
                if frontend_goes(frontend, removed) {
                    ranges.push(frontend.range());
                    continue;
                }
                ranges
                    .extend(frontend.children().filter(|child| is_removed(*child, removed)).map(Node::range));
            }
        }
    }
    ranges.into_iter().map(Edit::remove).collect()
}

fn override_goes(node: Node<'_>, removed: &[Node<'_>]) -> bool {
    loses_all(node, |child| is_part(child, "device") && device_goes(child, removed))
}

fn device_goes(node: Node<'_>, removed: &[Node<'_>]) -> bool {
    loses_all(node, |child| is_part(child, "frontend") && frontend_goes(child, removed))
}

fn frontend_goes(node: Node<'_>, removed: &[Node<'_>]) -> bool {
    loses_all(node, |child| is_removed(child, removed))
}

fn loses_all(node: Node<'_>, child_goes: impl Fn(Node<'_>) -> bool) -> bool {
    !node.has_text() && node.children().next().is_some() && node.children().all(child_goes)
}

fn is_removed(node: Node<'_>, removed: &[Node<'_>]) -> bool {
    removed.iter().any(|gone| gone.is_same(node))
}

fn is_part(node: Node<'_>, local: &str) -> bool {
    node.name().ends_with(local) && node.local_name_in(QEMU_NAMESPACE) == Some(local)
}

/// What the answer's check asks: does QEMU get exactly this MTU for the NIC?
pub(super) fn has_exactly(domain: &Domain<'_>, nic: &Nic) -> bool {
    let properties = Overrides::of(domain).properties(&nic.network.alias());
    let values: Vec<_> = properties.iter().map(|property| property.attribute("value")).collect();
    match (values.as_slice(), nic.mtu) {
        ([], None) => true,
        ([Some(value)], Some(mtu)) => *value == mtu.bytes().to_string(),
        _ => false,
    }
}
