//! The `<qemu:override>` elements of a domain: reading them.

use std::{borrow::Cow, collections::BTreeMap};

use super::{document::Node, libvirt::Domain};

/// libvirt's namespace for QEMU-specific parts of a domain.
pub(super) const QEMU_NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// The property that is ours.
pub(super) const PROPERTY: &str = "host_mtu";

/// The overrides, whatever their prefix is, and the devices in them by alias.
pub(super) struct Overrides<'d> {
    pub(super) list: Vec<Node<'d>>,
    devices: BTreeMap<Cow<'d, str>, Vec<Node<'d>>>,
}

impl<'d> Overrides<'d> {
    pub(super) fn of(domain: &'d Domain<'_>) -> Self {
        let list: Vec<_> = parts(domain.root(), "override").collect();
        let mut devices = BTreeMap::<_, Vec<_>>::new();
        for device in list.iter().flat_map(|node| parts(*node, "device")) {
            if let Some(alias) = device.attribute("alias") {
                devices.entry(alias).or_default().push(device);
            }
        }
        Self { list, devices }
    }

    /// The first override of the NIC with this alias.
    pub(super) fn device(&self, alias: &str) -> Option<Node<'d>> {
        self.devices_of(alias).next()
    }

    /// Every `host_mtu` of the NIC with this alias.
    pub(super) fn properties(&self, alias: &str) -> impl Iterator<Item = Node<'d>> {
        self.devices_of(alias)
            .flat_map(|device| parts(device, "frontend"))
            .flat_map(|frontend| parts(frontend, "property"))
            .filter(|property| property.attribute("name").as_deref() == Some(PROPERTY))
    }

    fn devices_of(&self, alias: &str) -> impl Iterator<Item = Node<'d>> {
        self.devices.get(alias).into_iter().flatten().copied()
    }
}

/// The children of this name in QEMU's namespace.
pub(super) fn parts<'d>(node: Node<'d>, local: &'static str) -> impl Iterator<Item = Node<'d>> {
    node.children().filter(move |child| is_part(*child, local))
}

/// Whether the element has this name in QEMU's namespace.
pub(super) fn is_part(node: Node<'_>, local: &str) -> bool {
    // Most elements fail the first test, which is cheap.
    node.name().ends_with(local) && node.local_name_in(QEMU_NAMESPACE) == Some(local)
}
