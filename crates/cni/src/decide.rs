//! From what is there to what is to be done. Pure.

use super::{
    config::BridgeName,
    environment::Attachment,
    error::CniError,
    found::{Found, FoundPort},
    ids::Holder,
    port::Wish,
};
use vocabulary::Quoted;

/// What ADD is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The port is to be made, and its bridge too if told so.
    Create {
        /// The bridge is missing and may be made.
        with_bridge: bool,
    },
    /// The port is there, exactly as wanted.
    Keep,
}

/// Decides, or tells why the attachment cannot be.
pub fn decide(wish: &Wish, attachment: &Attachment, found: &Found) -> Result<Decision, CniError> {
    if let Some(other) = found.of_attachment.iter().find(|port| port.name != wish.name) {
        return Err(CniError::Taken(format!(
            "{attachment} is attached already, by port {} with another device: DEL it first",
            Quoted(&other.name)
        )));
    }
    match &found.port {
        Some(port) => keep(wish, attachment, found, port),
        None => create(wish, found),
    }
}

fn keep(wish: &Wish, attachment: &Attachment, found: &Found, port: &FoundPort) -> Result<Decision, CniError> {
    let Some(holder) = Holder::of(&port.port.external_ids) else {
        return Err(CniError::Taken(format!(
            "port {} of this device exists on bridge {} and was not made by this plugin: remove it if nobody uses it \
             (ovs-vsctl del-port {})",
            wish.name,
            Quoted(&port.bridges.join(", ")),
            wish.name
        )));
    };
    if holder.attachment != *attachment {
        return Err(CniError::Taken(format!(
            "port {} of this device belongs to {holder}: it becomes free when the runtime detaches that one (DEL or GC); \
             if that container no longer exists, remove the port (ovs-vsctl del-port {})",
            wish.name, wish.name
        )));
    }
    match wish.deviations(found) {
        deviations if deviations.is_empty() => Ok(Decision::Keep),
        deviations => Err(otherwise(attachment, &deviations.join("; "))),
    }
}

/// The attachment is there, and not as this ADD would make it.
pub fn otherwise(attachment: &Attachment, deviations: &str) -> CniError {
    CniError::Taken(format!("{attachment} is attached already, and otherwise: {deviations}; DEL it first"))
}

fn create(wish: &Wish, found: &Found) -> Result<Decision, CniError> {
    if found.interface.is_some() {
        return Err(CniError::Taken(format!(
            "interface {} of this device exists in a port of another name: remove it (ovs-vsctl find port)",
            wish.name
        )));
    }
    let with_bridge = check_switch(&wish.bridge, wish.create_bridge, found)?;
    Ok(Decision::Create { with_bridge })
}

/// Whether the switch can have the port; with `true` if its bridge must be made first.
pub fn check_switch(bridge: &BridgeName, may_create: bool, found: &Found) -> Result<bool, CniError> {
    if !found.switch.as_ref().is_some_and(|switch| switch.dpdk_initialized) {
        return Err(CniError::Switch(
            "OVS runs without DPDK: set other_config:dpdk-init=true in its table Open_vSwitch, restart ovs-vswitchd and \
             look at its log"
                .to_owned(),
        ));
    }
    let name = Quoted(bridge.as_str());
    match &found.bridge {
        None if may_create => Ok(true),
        None => Err(CniError::Switch(format!(
            "OVS has no bridge {name}: create it with datapath_type=netdev, correct the NAD's `bridge`, or allow this \
             plugin to create it (createBridge)"
        ))),
        Some(bridge) if bridge.datapath_type != "netdev" => Err(CniError::Switch(format!(
            "bridge {name} has datapath_type {}: vhost-user ports need 'netdev', the userspace datapath",
            Quoted(&bridge.datapath_type)
        ))),
        Some(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests;
