//! What another device of the domain may not have: an alias or a socket of one of our NICs.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    document::{Node, alias},
    error::DomainError,
    interfaces::Interfaces,
    libvirt::Domain,
    nic::Nic,
};
use vocabulary::{ComputePath, Quoted};

/// Refuses aliases and sockets that something else in the domain already has.
pub(super) fn check(
    domain: &Domain<'_>,
    interfaces: &Interfaces<'_>,
    nics: &[Nic],
) -> Result<(), DomainError> {
    let own: BTreeMap<String, &Nic> = nics.iter().map(|nic| (nic.network.alias(), nic)).collect();
    check_aliases(domain, &own)?;
    let sockets: BTreeMap<&str, &Nic> =
        nics.iter().flat_map(|nic| [(nic.socket.as_str(), nic), (nic.device_socket.as_str(), nic)]).collect();
    let others = interfaces.iter().filter(|(_, alias)| !alias.is_some_and(|alias| own.contains_key(alias)));
    for (other, _) in others {
        check_sockets(&sockets, other)?;
    }
    Ok(())
}

fn check_aliases(domain: &Domain<'_>, own: &BTreeMap<String, &Nic>) -> Result<(), DomainError> {
    let mut seen = BTreeSet::new();
    for device in domain.devices().children() {
        let Some(nic) = alias(device).and_then(|found| own.get(&*found)) else {
            continue;
        };
        let repeated = !seen.insert(&nic.network);
        let place = match device.name() {
            "interface" if !repeated => continue,
            "interface" => "another interface".to_owned(),
            kind => format!("a <{kind}> device"),
        };
        return Err(DomainError::AliasTaken { network: nic.network.clone(), place });
    }
    Ok(())
}

fn check_sockets(sockets: &BTreeMap<&str, &Nic>, other: Node<'_>) -> Result<(), DomainError> {
    for path in other.children_named("source").filter_map(|source| source.attribute("path")) {
        let path =
            ComputePath::file(&path).map_or_else(|_| path.into_owned(), |path| path.as_str().to_owned());
        if let Some(nic) = sockets.get(path.as_str()) {
            let network = nic.network.clone();
            return Err(DomainError::SocketTaken { network, path, other: describe(other) });
        }
    }
    Ok(())
}

fn describe(interface: Node<'_>) -> String {
    match alias(interface) {
        Some(alias) => format!("the interface with alias {}", Quoted(&alias)),
        None => "an interface without an alias".to_owned(),
    }
}
