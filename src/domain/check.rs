//! The last look, at the very bytes that are returned: what is wrong here would be a VM that starts and stays mute.

use super::{Domain, DomainError, interface, memory, nic::Nic, qemu_override};

/// Reads the answer anew and checks what it promises.
pub(super) fn answer(xml: &str, nics: &[Nic]) -> Result<(), DomainError> {
    let domain =
        Domain::parse(xml.as_bytes()).map_err(|_| DomainError::BadResult("it is not well-formed"))?;
    if !memory::is_shared(&domain) {
        return Err(DomainError::BadResult("guest memory is not shared"));
    }
    for nic in nics {
        let once = interface::check_conflicts(&domain, std::slice::from_ref(nic)).is_ok();
        if !once || !stands_as_wanted(&domain, nic) {
            return Err(DomainError::BadResult("a NIC is missing, doubled or not as planned"));
        }
        if !qemu_override::has_exactly(&domain, nic) {
            return Err(DomainError::BadResult("a NIC has another MTU than planned"));
        }
    }
    Ok(())
}

fn stands_as_wanted(domain: &Domain<'_>, nic: &Nic) -> bool {
    let alias = nic.network.alias();
    let mut own = domain.devices().children_named("interface").filter(|interface| {
        interface.child("alias").and_then(|found| found.attribute("name")).is_some_and(|found| found == alias)
    });
    let (Some(interface), None) = (own.next(), own.next()) else {
        return false;
    };
    let Some(source) = interface.child("source") else {
        return false;
    };
    let is = |attribute, wanted: &str| source.attribute(attribute).is_some_and(|found| found == wanted);
    interface.attribute("type").as_deref() == Some("vhostuser")
        && is("type", "unix")
        && is("path", nic.socket.as_str())
        && is("mode", nic.mode.as_str())
}
