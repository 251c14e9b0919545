//! GC: what an attachment has left that nobody will DEL.

use super::{
    call::Call,
    clock::Clock,
    config::Network,
    error::{CniError, Failure},
    ids::{self, Holder},
    ipam::Ipam,
    remove::{device, devices, forget, hold, remove},
    runtime::valid_attachments,
    switch::Ovs,
};

/// How many devices are held at once: each is an open file.
const AT_ONCE: usize = 64;

/// Removes exactly what carries our mark and this network's name, and is not listed. A runtime must not ADD meanwhile
/// (CNI specification, section 4, GC).
pub(super) fn gc(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    let network = Network::parse(call.config)?;
    let valid = valid_attachments(call.config)?;
    let clock = Clock::whole(call.started, network.timeout);
    let mut ovs = Ovs::connect(&network, clock)?;
    let stale =
        |ids: &ids::ExternalIds| Holder::of(ids).is_some_and(|holder| !valid.contains(&holder.attachment));
    let marks = ids::of_network(&network.name);
    let mut notes = Vec::new();
    // What names no device needs none to be held.
    let seen = ovs.ours(&marks)?.only(stale);
    let without = seen.clone().only(|ids| device(ids).is_none());
    notes.extend(remove(&mut ovs, &network.root, &without)?);
    let devices: Vec<_> = devices(&seen).into_iter().collect();
    for devices in devices.chunks(AT_ONCE) {
        let held = hold(&network.root, devices, clock.end())?;
        let is_held = |ids: &_| device(ids).is_some_and(|device| devices.contains(&device));
        let ours = ovs.ours(&marks)?.only(|ids| stale(ids) && is_held(ids));
        let attachments: Vec<_> = ours.ids().filter_map(|ids| Some(Holder::of(ids)?.attachment)).collect();
        notes.extend(forget(&held, |holder| attachments.contains(&holder.attachment)));
        notes.extend(remove(&mut ovs, &network.root, &ours)?);
    }
    match collect_addresses(call, &network, &clock) {
        Ok(()) => Ok(notes),
        Err(error) => Err(Failure { error: error.into(), notes }),
    }
}

fn collect_addresses(call: &Call<'_>, network: &Network, clock: &Clock) -> Result<(), CniError> {
    Ipam::find(call, network)?.map_or(Ok(()), |ipam| ipam.pass_on("GC", clock))
}
