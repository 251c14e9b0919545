//! Guest memory that the switch can map: without it the socket connects but no packet passes.

use std::borrow::Cow;

use super::{
    document::Node,
    error::DomainError,
    layout::{append_children, lead},
    libvirt::Domain,
    splice::Edit,
};
use vocabulary::NetworkName;

const SHARED: &str = r#"<access mode="shared"/>"#;
const MEMFD: &str = r#"<source type="memfd"/>"#;

/// Edits that make all guest memory shared: at the top level (hot-plugged memory inherits it) and on every NUMA
/// cell (a cell's own setting wins). memfd is added only where nothing else backs the memory: libvirt would put
/// shared memory without a source into a file on disk.
///
/// An explicit `private`, or a source that cannot be shared, is refused and never overridden.
pub(super) fn edits(domain: &Domain<'_>, network: &NetworkName) -> Result<Vec<Edit>, DomainError> {
    let refuse = |place, value: &str| {
        Err(DomainError::MemoryNotShared { network: network.clone(), place, value: value.to_owned() })
    };
    let mut edits = Vec::new();
    for (cell, access) in cells(domain) {
        match access.as_deref() {
            None => edits.push(Edit::insert(cell.name_end(), r#" memAccess="shared""#.to_owned())),
            Some("") => {
                edits.extend(cell.value_range("memAccess").map(|range| Edit::replace(range, "shared".into())))
            }
            Some("shared") => {}
            Some(other) => return refuse("cpu/numa/cell memAccess", other),
        }
    }
    for device in domain.devices().children_named("memory") {
        match device.attribute("access").as_deref() {
            None | Some("shared") => {}
            Some(other) => return refuse("devices/memory access", other),
        }
    }
    for access in backing_children(domain, "access") {
        match access.attribute("mode").as_deref() {
            Some("shared") => {}
            None | Some("") => edits.push(Edit::replace(access.range(), SHARED.to_owned())),
            Some(other) => return refuse("memoryBacking/access mode", other),
        }
    }
    let hugepages = has_hugepages(domain);
    for source in backing_children(domain, "source") {
        match source.attribute("type").as_deref() {
            Some("memfd" | "file") => {}
            None | Some("") if hugepages => {}
            None | Some("") => edits.push(Edit::replace(source.range(), MEMFD.to_owned())),
            Some(other) => return refuse("memoryBacking/source type", other),
        }
    }
    edits.extend(missing(domain, hugepages));
    Ok(edits)
}

fn missing(domain: &Domain<'_>, hugepages: bool) -> Option<Edit> {
    let mut children = Vec::new();
    if backing_children(domain, "source").next().is_none() && !hugepages {
        children.push(MEMFD.to_owned());
    }
    if backing_children(domain, "access").next().is_none() {
        children.push(SHARED.to_owned());
    }
    match domain.root().child("memoryBacking") {
        _ if children.is_empty() => None,
        Some(backing) => Some(append_children(backing, &children)),
        None => {
            let devices = domain.devices();
            let text = format!("<memoryBacking>{}</memoryBacking>{}", children.concat(), lead(devices));
            Some(Edit::insert(devices.range().start, text))
        }
    }
}

/// Whether all of the guest's memory is shared, and backed by something that can be.
pub(super) fn is_shared(domain: &Domain<'_>) -> bool {
    let all_are = |name, attribute, wanted: &[&str]| {
        let mut values = backing_children(domain, name).map(|node| node.attribute(attribute)).peekable();
        values.peek().is_some() && values.all(|value| value.is_some_and(|value| wanted.contains(&&*value)))
    };
    let backed = all_are("source", "type", &["memfd", "file"]) || has_hugepages(domain);
    backed
        && all_are("access", "mode", &["shared"])
        && cells(domain).all(|(_, access)| access.as_deref() == Some("shared"))
}

fn cells<'d>(domain: &'d Domain<'_>) -> impl Iterator<Item = (Node<'d>, Option<Cow<'d, str>>)> {
    domain
        .root()
        .children_named("cpu")
        .flat_map(|cpu| cpu.children_named("numa"))
        .flat_map(|numa| numa.children_named("cell"))
        .map(|cell| (cell, cell.attribute("memAccess")))
}

fn has_hugepages(domain: &Domain<'_>) -> bool {
    backing_children(domain, "hugepages").next().is_some()
}

/// libvirt reads the children of every `<memoryBacking>` there is.
fn backing_children<'d>(domain: &'d Domain<'_>, name: &'static str) -> impl Iterator<Item = Node<'d>> {
    domain.root().children_named("memoryBacking").flat_map(move |backing| backing.children_named(name))
}
