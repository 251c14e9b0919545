//! From what is there to what is to be done. Pure.

use super::{
    config::BridgeName,
    environment::Attachment,
    error::CniError,
    found::{Found, FoundPort},
    ids::Holder,
    port::Wish,
};
use ovs::Obstacle;
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
    /// The port is that of a sandbox that is gone: it is to be removed first.
    TakeOver,
}

/// Decides, or returns why the attachment cannot be.
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
    if holder.attachment != *attachment && port.is_abandoned {
        return Ok(Decision::TakeOver);
    }
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

/// Whether the switch can take the port; returns `true` if its bridge must be made first. A dead ovs-vswitchd is found
/// out by plugging the port.
pub fn check_switch(bridge: &BridgeName, may_create: bool, found: &Found) -> Result<bool, CniError> {
    let mut obstacles = found.obstacles(Ok(()));
    let with_bridge = may_create && obstacles.contains(&Obstacle::NoBridge);
    obstacles.retain(|obstacle| !(with_bridge && *obstacle == Obstacle::NoBridge));
    match obstacles.first() {
        Some(obstacle) => Err(CniError::Switch(described(obstacle, bridge))),
        None => Ok(with_bridge),
    }
}

fn described(obstacle: &Obstacle, bridge: &BridgeName) -> String {
    let hint = match obstacle {
        Obstacle::NoBridge => {
            ", correct the NAD's `bridge`, or allow this plugin to create it (createBridge)"
        }
        _ => "",
    };
    obstacle.of_bridge(bridge.as_str()) + hint
}

#[cfg(test)]
mod tests;
