//! GC: what an attachment has left that nobody will DEL.

use super::{
    call::Call,
    clock::Clock,
    config::Network,
    error::CniError,
    found::Ours,
    ids::{self, Holder},
    ipam::Ipam,
    remove::remove,
    runtime::valid_attachments,
    switch::Ovs,
};

/// Removes exactly what carries our mark and this network's name, and is not listed.
pub(super) fn gc(call: &Call<'_>) -> Result<Vec<String>, CniError> {
    let network = Network::parse(call.config, call.version)?;
    let valid = valid_attachments(call.config)?;
    let clock = Clock::whole(network.timeout);
    let mut ovs = Ovs::connect(&network, clock)?;
    let ours = Ours::read_fresh(&mut ovs, &ids::of_network(&network.name))?;
    let stale =
        |ids: &ids::ExternalIds| Holder::of(ids).is_some_and(|holder| !valid.contains(&holder.attachment));
    let notes = remove(&mut ovs, &network.root, &ours.only(stale))?;
    if let Some(ipam) = Ipam::find(call, &network)? {
        ipam.pass_on("GC", &clock)?;
    }
    Ok(notes)
}
