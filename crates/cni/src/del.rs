//! DEL: nothing of the attachment stays, whatever of it is there.

use super::{
    call::Call,
    clock::Clock,
    config::Network,
    environment::Attachment,
    error::{CniError, Failure},
    files, ids,
    ipam::Ipam,
    remove::{device, devices, forget, hold, remove},
    runtime::{device_to_hold, info_file_to_remove},
    switch::Ovs,
};

/// Detaches. Gives what is worth a line in the runtime's log.
///
/// Its devices are held to the end: those of its ports, and the one that the runtime names, because an ADD that it has
/// given up may still be on its way to a port. What is there is read twice, for until the devices were held another
/// attachment may have taken one over.
pub(super) fn del(call: &Call<'_>, attachment: &Attachment) -> Result<Vec<String>, Failure> {
    let network = Network::parse(call.config)?;
    let clock = Clock::whole(call.started, network.timeout);
    let mut ovs = Ovs::reach(&network, clock)?;
    let marks = ids::of_attachment(attachment);
    let mut devices = devices(&ovs.ours(&marks)?);
    devices.extend(device_to_hold(call.config));
    let held = hold(&network.root, &devices, clock.end())?;
    let is_held = |ids: &_| device(ids).is_none_or(|device| devices.contains(&device));
    let ours = ovs.ours(&marks)?.only(is_held);
    let mut notes = forget(&held, |holder| holder.attachment == *attachment);
    notes.extend(remove(&mut ovs, &network.root, &ours)?);
    if let Some(file) = info_file_to_remove(call.config) {
        notes.extend(files::remove_device_info(&file).err().map(|error| error.to_string()));
    }
    // An address is free only when nothing sends from it any more.
    match give_back(call, &network, &clock) {
        Ok(()) => Ok(notes),
        Err(error) => Err(Failure { error: error.into(), notes }),
    }
}

fn give_back(call: &Call<'_>, network: &Network, clock: &Clock) -> Result<(), CniError> {
    Ipam::find(call, network)?.map_or(Ok(()), |ipam| ipam.pass_on("DEL", clock))
}
