//! Where our NICs go.

use std::collections::BTreeMap;

use super::{
    document::Node, fragment, interfaces::Interfaces, layout, libvirt::Domain, nic::Nic, splice::Edit,
};
use vocabulary::NetworkName;

/// Edits that leave each NIC in the domain exactly once, in the VMI's order.
///
/// A NIC already there (recognised by its alias alone) is replaced where it is and keeps its address. A new one goes
/// directly after the nearest interface before it in the VMI that is there, else before the nearest one after it,
/// else before all interfaces; so never after KubeVirt's hot-plug placeholders, which come last.
pub(super) fn edits(
    domain: &Domain<'_>,
    interfaces: &Interfaces<'_>,
    nics: &[Nic],
    order: &[NetworkName],
) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut new = BTreeMap::new();
    for nic in nics {
        match interfaces.with_alias(&nic.network.alias()) {
            Some(own) => {
                let address = own.child("address").map(Node::source);
                edits.push(Edit::replace(own.range(), fragment::interface(nic, address)));
            }
            None => drop(new.insert(&nic.network, nic)),
        }
    }
    if new.is_empty() {
        return edits;
    }
    let groups = groups(interfaces, new, nics, order);
    edits.extend(groups.iter().map(|group| group.edit(domain)));
    edits
}

/// New NICs that go to one place.
struct Group<'d> {
    anchor: Anchor<'d>,
    fragments: Vec<String>,
}

#[derive(Clone, Copy)]
enum Anchor<'d> {
    After(Node<'d>),
    Before(Node<'d>),
    LastDevice,
}

/// One walk along the VMI's order. The anchor is always the nearest interface passed so far that is in the domain, so
/// new NICs gather behind it until the next one.
fn groups<'d>(
    interfaces: &Interfaces<'d>,
    mut new: BTreeMap<&NetworkName, &Nic>,
    nics: &[Nic],
    order: &[NetworkName],
) -> Vec<Group<'d>> {
    let there = |name: &NetworkName| interfaces.with_alias(&name.alias());
    // Used until an interface that is there has been passed, so the first of them is the nearest one after.
    let start = order.iter().find_map(there).or_else(|| interfaces.first());
    let anchor = start.map_or(Anchor::LastDevice, Anchor::Before);
    let mut groups = vec![Group { anchor, fragments: Vec::new() }];
    // The VMI's order lists every NIC; one that it did not list would come last.
    for name in order.iter().chain(nics.iter().map(|nic| &nic.network)) {
        if let Some(node) = there(name) {
            groups.push(Group { anchor: Anchor::After(node), fragments: Vec::new() });
        } else if let (Some(nic), Some(group)) = (new.remove(name), groups.last_mut()) {
            group.fragments.push(fragment::interface(nic, None));
        }
    }
    groups.retain(|group| !group.fragments.is_empty());
    groups
}

impl Group<'_> {
    fn edit(&self, domain: &Domain<'_>) -> Edit {
        match self.anchor {
            Anchor::After(node) => layout::insert_after(node, &self.fragments),
            Anchor::Before(node) => layout::insert_before(node, &self.fragments),
            Anchor::LastDevice => layout::append_children(domain.devices(), &self.fragments),
        }
    }
}
