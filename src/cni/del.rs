//! DEL: nothing of the attachment stays, whatever of it is there.

use super::{
    call::Call, clock::Clock, config::Network, environment::Attachment, error::CniError, files, found::Ours,
    ids, ipam::Ipam, remove::remove, runtime::info_file_to_remove, switch::Ovs,
};

/// Detaches. Gives what is worth a line in the runtime's log.
pub(super) fn del(call: &Call<'_>, attachment: &Attachment) -> Result<Vec<String>, CniError> {
    let network = Network::parse(call.config, call.version)?;
    let clock = Clock::whole(network.timeout);
    let mut ovs = Ovs::connect(&network, clock)?;
    let ours = Ours::read_fresh(&mut ovs, &ids::of_attachment(attachment))?;
    let notes = remove(&mut ovs, &network.root, &ours)?;
    if let Some(file) = info_file_to_remove(call.config) {
        files::remove_device_info(&file)?;
    }
    // An address is free only when nothing sends from it any more.
    if let Some(ipam) = Ipam::find(call, &network)? {
        ipam.pass_on("DEL", &clock)?;
    }
    Ok(notes)
}
