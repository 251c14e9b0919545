//! DEL: nothing of the attachment stays, whatever of it is there.

use super::{
    call::Call, clock::Clock, config::Network, environment::Attachment, error::CniError, files, ids,
    ipam::Ipam, remove::remove_held, runtime::info_file_to_remove, switch::Ovs,
};

/// Detaches. Gives what is worth a line in the runtime's log.
pub(super) fn del(call: &Call<'_>, attachment: &Attachment) -> Result<Vec<String>, CniError> {
    let network = Network::parse(call.config, call.version)?;
    let clock = Clock::whole(call.started, network.timeout);
    let mut ovs = Ovs::connect(&network, clock)?;
    let notes = remove_held(&mut ovs, &network.root, &ids::of_attachment(attachment), |_| true)?;
    if let Some(file) = info_file_to_remove(call.config) {
        files::remove_device_info(&file)?;
    }
    // An address is free only when nothing sends from it any more.
    if let Some(ipam) = Ipam::find(call, &network)? {
        ipam.pass_on("DEL", &clock)?;
    }
    Ok(notes)
}
