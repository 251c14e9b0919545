//! GC: what an attachment has left that nobody will DEL.

use super::{
    call::Call,
    clock::Clock,
    config::Network,
    error::CniError,
    ids::{self, Holder},
    ipam::Ipam,
    remove::remove_held,
    runtime::valid_attachments,
    switch::Ovs,
};

/// Removes exactly what carries our mark and this network's name, and is not listed.
pub(super) fn gc(call: &Call<'_>) -> Result<Vec<String>, CniError> {
    let network = Network::parse(call.config, call.version)?;
    let valid = valid_attachments(call.config)?;
    let clock = Clock::whole(call.started, network.timeout);
    let mut ovs = Ovs::connect(&network, clock)?;
    let stale =
        |ids: &ids::ExternalIds| Holder::of(ids).is_some_and(|holder| !valid.contains(&holder.attachment));
    let notes = remove_held(&mut ovs, &network.root, &ids::of_network(&network.name), stale)?;
    if let Some(ipam) = Ipam::find(call, &network)? {
        ipam.pass_on("GC", &clock)?;
    }
    Ok(notes)
}
