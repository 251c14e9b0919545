//! Where our NICs go, and what may not already be there.

use super::{Domain, DomainError, document::Node, fragment, nic::Nic, splice::Edit};
use std::borrow::Cow;

use vocabulary::{ComputePath, MacAddr, NetworkName};

/// Edits that leave each NIC in the domain exactly once, in the VMI's order.
///
/// A NIC already there (known by its alias alone) is replaced where it stands and keeps its address. A new one goes
/// directly behind the nearest interface before it in the VMI that is there, else in front of the nearest one after
/// it, else in front of all interfaces; so never behind KubeVirt's hot-plug placeholders, which come last.
pub(super) fn edits(domain: &Domain<'_>, nics: &[Nic], order: &[NetworkName]) -> Vec<Edit> {
    let interfaces = Interfaces::of(domain);
    let mut edits = Vec::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for nic in nics {
        if let Some(own) = interfaces.with_alias(&nic.network.alias()) {
            let address = own.child("address").map(Node::source);
            edits.push(Edit::replace(own.range(), fragment::interface(nic, address)));
            continue;
        }
        let anchor = anchor(&interfaces, &groups, &nic.network, order);
        let xml = fragment::interface(nic, None);
        match groups.iter_mut().find(|group| group.anchor.is_same(anchor)) {
            Some(group) => group.add(nic, xml),
            None => groups.push(Group { anchor, networks: vec![&nic.network], fragments: vec![xml] }),
        }
    }
    edits.extend(groups.iter().map(|group| group.edit(domain)));
    edits
}

/// New NICs that go to one place.
struct Group<'d> {
    anchor: Anchor<'d>,
    networks: Vec<&'d NetworkName>,
    fragments: Vec<String>,
}

#[derive(Clone, Copy)]
enum Anchor<'d> {
    After(Node<'d>),
    Before(Node<'d>),
    LastDevice,
}

impl Anchor<'_> {
    fn is_same(&self, other: Self) -> bool {
        match (*self, other) {
            (Self::After(a), Anchor::After(b)) | (Self::Before(a), Anchor::Before(b)) => a.is_same(b),
            (Self::LastDevice, Anchor::LastDevice) => true,
            _ => false,
        }
    }
}

fn anchor<'d>(
    interfaces: &Interfaces<'d>,
    groups: &[Group<'d>],
    network: &NetworkName,
    order: &[NetworkName],
) -> Anchor<'d> {
    let place = order.iter().position(|name| name == network).unwrap_or(order.len());
    for name in order[..place].iter().rev() {
        if let Some(node) = interfaces.with_alias(&name.alias()) {
            return Anchor::After(node);
        }
        if let Some(group) = groups.iter().find(|group| group.networks.contains(&name)) {
            return group.anchor;
        }
    }
    let following = order.get(place + 1..).unwrap_or_default();
    let next = following.iter().find_map(|name| interfaces.with_alias(&name.alias()));
    match next.or_else(|| interfaces.first()) {
        Some(node) => Anchor::Before(node),
        None => Anchor::LastDevice,
    }
}

impl<'d> Group<'d> {
    fn add(&mut self, nic: &'d Nic, xml: String) {
        self.networks.push(&nic.network);
        self.fragments.push(xml);
    }

    fn edit(&self, domain: &Domain<'_>) -> Edit {
        match self.anchor {
            Anchor::After(node) => {
                let lead = node.lead();
                let text = self.fragments.iter().flat_map(|xml| [lead, xml.as_str()]).collect();
                Edit::insert(node.range().end, text)
            }
            Anchor::Before(node) => {
                let lead = node.lead();
                let text = self.fragments.iter().flat_map(|xml| [xml.as_str(), lead]).collect();
                Edit::insert(node.range().start, text)
            }
            Anchor::LastDevice => super::append_children(domain.devices(), &self.fragments),
        }
    }
}

/// Refuses aliases and sockets that something else in the domain already has.
pub(super) fn check_conflicts(domain: &Domain<'_>, nics: &[Nic]) -> Result<(), DomainError> {
    let interfaces = Interfaces::of(domain);
    for nic in nics {
        check_alias(domain, nic)?;
    }
    for other in interfaces.others_than(nics) {
        for nic in nics {
            check_socket(nic, other)?;
        }
    }
    Ok(())
}

fn check_alias(domain: &Domain<'_>, nic: &Nic) -> Result<(), DomainError> {
    let wanted = nic.network.alias();
    let mut seen = false;
    for device in
        domain.devices().children().filter(|device| alias(*device).is_some_and(|found| found == wanted))
    {
        if seen || device.name() != "interface" {
            let place = match device.name() {
                "interface" => "another interface".to_owned(),
                kind => format!("a <{kind}> device"),
            };
            return Err(DomainError::AliasTaken { network: nic.network.clone(), place });
        }
        seen = true;
    }
    Ok(())
}

/// The MAC addresses of the interfaces, with their aliases.
pub(super) fn macs(domain: &Domain<'_>) -> Vec<(Option<String>, MacAddr)> {
    let interfaces = domain.devices().children_named("interface");
    let mac = |node: Node<'_>| node.child("mac")?.attribute("address")?.parse().ok();
    interfaces.filter_map(|node| Some((alias(node).map(Cow::into_owned), mac(node)?))).collect()
}

fn check_socket(nic: &Nic, other: Node<'_>) -> Result<(), DomainError> {
    for source in other.children_named("source") {
        let Some(path) = source.attribute("path") else {
            continue;
        };
        let path =
            ComputePath::file(&path).map_or_else(|_| path.into_owned(), |path| path.as_str().to_owned());
        if path == nic.socket.as_str() || path == nic.device_socket.as_str() {
            return Err(DomainError::SocketTaken {
                network: nic.network.clone(),
                path,
                other: describe(other),
            });
        }
    }
    Ok(())
}

fn describe(interface: Node<'_>) -> String {
    match alias(interface) {
        Some(alias) => format!("the interface with alias {}", vocabulary::Quoted(&alias)),
        None => "an interface without an alias".to_owned(),
    }
}

fn alias(device: Node<'_>) -> Option<Cow<'_, str>> {
    device.child("alias")?.attribute("name")
}

/// The interfaces of the domain, in its order, with their aliases.
struct Interfaces<'d>(Vec<(Node<'d>, Option<Cow<'d, str>>)>);

impl<'d> Interfaces<'d> {
    fn of(domain: &'d Domain<'_>) -> Self {
        Self(domain.devices().children_named("interface").map(|node| (node, alias(node))).collect())
    }

    fn with_alias(&self, wanted: &str) -> Option<Node<'d>> {
        self.0.iter().find(|(_, alias)| alias.as_deref() == Some(wanted)).map(|&(node, _)| node)
    }

    fn first(&self) -> Option<Node<'d>> {
        self.0.first().map(|&(node, _)| node)
    }

    fn others_than(&self, nics: &[Nic]) -> impl Iterator<Item = Node<'d>> {
        let own: Vec<String> = nics.iter().map(|nic| nic.network.alias()).collect();
        self.0
            .iter()
            .filter(move |(_, alias)| !own.iter().any(|own| alias.as_deref() == Some(own.as_str())))
            .map(|&(node, _)| node)
    }
}
