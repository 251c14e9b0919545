//! What holds between the parts of a configuration.

use std::collections::BTreeSet;

use super::{
    model::{Ports, Sockets, Switch},
    names::ResourceName,
};
use node::fields::Mistakes;
use vocabulary::{Quoted, SocketPath};

/// The most ports, of one resource and in all: each is a mount.
pub(super) const PORTS_MAX: u64 = 4096;

pub(super) fn check_names(
    resources: &[Ports],
    dataplane: Option<&ResourceName>,
    switches: &[Switch],
    mistakes: &Mistakes,
) {
    let mut seen = BTreeSet::new();
    for name in resources.iter().map(|ports| &ports.name).chain(dataplane) {
        if !seen.insert(name) {
            mistakes.add("resources", format_args!("duplicate name {}", Quoted(name.as_str())));
        }
    }
    let mut seen = BTreeSet::new();
    for Switch { name, .. } in switches {
        if !seen.insert(name) {
            mistakes.add("switches", format_args!("duplicate name {}", Quoted(name)));
        }
    }
    let count: u64 = resources.iter().map(|ports| u64::from(ports.count)).sum();
    if count > PORTS_MAX {
        mistakes
            .add("resources", format_args!("{count} ports in total: a node can have at most {PORTS_MAX}"));
    }
}

/// The longest path of each resource must fit a socket's address, at both ends, and the root must be nobody else's.
pub(super) fn check_paths(sockets: &Sockets, resources: &[Ports], switches: &[Switch], mistakes: &Mistakes) {
    let root = sockets.host_root.as_ref();
    if root.parent().is_none() {
        mistakes.add("sockets.hostRoot", "must be a dedicated directory");
    }
    for dir in switches.iter().filter_map(|switch| switch.sockets.as_ref()) {
        if dir.as_ref().starts_with(root) || root.starts_with(dir) {
            let problem =
                format_args!("must be neither inside nor above {dir}, where a switch creates its sockets");
            mistakes.add("sockets.hostRoot", problem);
        }
    }
    for ports in resources {
        let Some(longest) = ports.devices().last() else { continue };
        if let Err(error) = sockets.host_root.socket(&longest) {
            mistakes.add("sockets.hostRoot", error);
        }
        if let Err(error) = SocketPath::try_from(sockets.in_container(&longest)) {
            mistakes.add("sockets.containerRoot", error);
        }
    }
}
