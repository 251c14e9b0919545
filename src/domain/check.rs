//! Final check of the returned bytes: a mistake here is a VM that boots but never passes a packet.

use std::collections::BTreeSet;

use super::{
    conflicts, document::Node, error::DomainError, interfaces::Interfaces, libvirt::Domain, memory, nic::Nic,
    overrides::Overrides,
};

/// Parses the answer again and checks what it promises.
pub(super) fn answer(xml: &str, nics: &[Nic]) -> Result<(), DomainError> {
    let bad = |problem| Err(DomainError::BadResult(problem));
    let domain = match Domain::parse_text(xml) {
        Ok(domain) => domain,
        Err(error) if error.is_about_size() => return Err(DomainError::AnswerTooLarge),
        Err(_) => return bad("it is not well-formed"),
    };
    if !memory::is_shared(&domain) {
        return bad("guest memory is not shared");
    }
    let interfaces = Interfaces::of(&domain);
    let in_place = |nic: &Nic| {
        interfaces.only(&nic.network.alias()).is_some_and(|interface| is_as_planned(interface, nic))
    };
    if conflicts::check(&domain, &interfaces, nics).is_err() || !nics.iter().all(in_place) {
        return bad("a NIC is missing, repeated or not as planned");
    }
    if !are_distinct(nics.iter().map(|nic| nic.mac)) || !are_distinct(nics.iter().map(|nic| &nic.socket)) {
        return bad("two NICs have the same MAC address or socket");
    }
    let overrides = Overrides::of(&domain);
    if !nics.iter().all(|nic| has_its_mtu(&overrides, nic)) {
        return bad("a NIC has another MTU than planned");
    }
    Ok(())
}

fn is_as_planned(interface: Node<'_>, nic: &Nic) -> bool {
    let Some(source) = interface.child("source") else {
        return false;
    };
    let is = |attribute, wanted: &str| source.attribute(attribute).is_some_and(|found| found == wanted);
    interface.attribute("type").as_deref() == Some("vhostuser")
        && is("type", "unix")
        && is("path", nic.socket.as_str())
        && is("mode", nic.mode.as_str())
}

fn has_its_mtu(overrides: &Overrides<'_>, nic: &Nic) -> bool {
    let values: Vec<_> =
        overrides.properties(&nic.network.alias()).map(|property| property.attribute("value")).collect();
    match (values.as_slice(), nic.mtu) {
        ([], None) => true,
        ([Some(value)], Some(mtu)) => *value == mtu.bytes().to_string(),
        _ => false,
    }
}

fn are_distinct<T: Ord>(mut values: impl Iterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    values.all(|value| seen.insert(value))
}
