//! What two NICs must not share. Sorted sets: a VMI may list very many interfaces.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    error::{NicError, PlanError},
    nic::NicRequest,
    warning::Warning,
};
use crate::attachment::Attachment;
use crate::domain::Nic;
use crate::vmi::Vmi;
use vocabulary::{ComputePath, MacAddr, NetworkName};

pub(super) fn check_names(requests: &[NicRequest]) -> Result<(), PlanError> {
    let mut seen = BTreeSet::new();
    match requests.iter().find(|request| !seen.insert(&request.network)) {
        Some(second) => Err(NicError::DuplicateInterface.of(&second.network)),
        None => Ok(()),
    }
}

pub(super) fn check_macs(nics: &[Nic]) -> Result<(), PlanError> {
    let mut seen: BTreeMap<MacAddr, &NetworkName> = BTreeMap::new();
    for Nic { network, mac, .. } in nics {
        if let Some(other) = seen.insert(*mac, network) {
            return Err(NicError::DuplicateMac { mac: *mac, other: other.clone() }.of(network));
        }
    }
    Ok(())
}

/// In a guest's bond of an SR-IOV and a vhost-user NIC both have one address, so this is no reason to refuse.
///
/// The VMI alone has the address of an SR-IOV NIC; the domain alone has one that KubeVirt or a hook sidecar chose.
pub(crate) fn shared_macs(vmi: &Vmi, domain: &[(Option<String>, MacAddr)], nics: &[Nic]) -> Vec<Warning> {
    let by_mac: BTreeMap<MacAddr, &NetworkName> = nics.iter().map(|nic| (nic.mac, &nic.network)).collect();
    let own: BTreeSet<&str> = nics.iter().map(|nic| nic.network.as_str()).collect();
    let in_vmi = vmi.interfaces.iter().filter(|found| !found.is_absent());
    let in_vmi =
        in_vmi.filter_map(|found| Some((found.name.as_str(), found.mac_address.as_deref()?.parse().ok()?)));
    let in_domain = domain.iter().map(|(alias, mac)| {
        let alias = alias.as_deref().unwrap_or("(without an alias)");
        (alias.strip_prefix("ua-").unwrap_or(alias), *mac)
    });
    let foreign: BTreeSet<(&str, MacAddr)> = in_vmi.chain(in_domain).collect();
    let shared = foreign.into_iter().filter(|(name, _)| !own.contains(name)).filter_map(|(other, mac)| {
        let network = (*by_mac.get(&mac)?).clone();
        Some(Warning::SharedMac { network, mac, other: other.to_owned() })
    });
    shared.collect()
}

pub(super) fn check_sockets(
    vmi: &Vmi,
    nics: &[Nic],
    others: &BTreeMap<NetworkName, Attachment>,
) -> Result<(), PlanError> {
    let present = vmi.interfaces.iter().filter(|found| !found.is_absent());
    let present: BTreeSet<&str> = present.map(|found| found.name.as_str()).collect();
    let foreign = others.iter().filter(|(network, _)| present.contains(network.as_str()));
    let mut seen: BTreeMap<&ComputePath, &NetworkName> =
        foreign.map(|(name, found)| (&found.socket, name)).collect();
    for Nic { network, device_socket, .. } in nics {
        if let Some(other) = seen.insert(device_socket, network) {
            let reason = NicError::DuplicateSocket { path: device_socket.to_string(), other: other.clone() };
            return Err(reason.of(network));
        }
    }
    Ok(())
}
