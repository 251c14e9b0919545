//! Plugged again, as ADD has made it.

use std::path::Path;

use tracing::info;

use super::{Life, LifeError, ask, recorded};
use crate::config::Ports;
use node::sandbox;
use ovs::port;
use vocabulary::{DeviceId, marks::NETNS};

impl Life {
    /// The port of a device that a pod has, which the switch has lost with its database. Only what ADD has written down,
    /// and no DEL has forgotten, for a sandbox that may be alive.
    pub(super) async fn plug_again(&self, ports: &Ports, id: &DeviceId) -> Result<(), LifeError> {
        let Some(lock) = self.hold(id)? else { return Ok(()) };
        let Some(wanted) = recorded(&lock)? else { return Ok(()) };
        let ovsdb = self.node.config.switches[ports.switch].ovsdb.as_ref();
        let marks = wanted.marks();
        let is_gone = marks.get(NETNS).is_none_or(|netns| sandbox::is_gone(Path::new(netns)));
        if wanted.ovsdb != ovsdb || wanted.name != id.port_name() || is_gone {
            return Ok(());
        }
        let (port, bridge) = (wanted.name.clone(), wanted.bridge.clone());
        match ask(ovsdb, move |client| port::plug_again(client, &wanted)).await? {
            Some(_) => {
                info!(device = %id, port, bridge, "plugged a port again that the switch had lost");
                Ok(())
            }
            None => Err(LifeError::NotPlugged { port, bridge }),
        }
    }
}
