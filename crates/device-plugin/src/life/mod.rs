//! A device's life on its switch: what is left of it goes before it is given away, and what a switch has lost comes
//! back.
//!
//! A port is removed only if its sandbox is gone and two whole lists of the kubelet, taken under the device's lock,
//! lack the device. Otherwise the device is not given away. The CNI plugin attaches and detaches under the same lock.

mod again;
mod error;
mod free;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::spawn_blocking, time::sleep};

pub(crate) use error::LifeError;

use crate::{config::Ports, node::Node};
use node::socketdir::{DeviceLock, SocketDir};
use ovs::{Client, OvsdbError, ours::Ours, port::Wanted, rows::Port, value::Datum};
use vocabulary::marks::{DEVICE, OWNER, OWNER_NAME};
use vocabulary::{DeviceId, SocketMode};

/// Time between two looks whether there is something to do.
const LOOK: Duration = Duration::from_secs(1);

/// Time between two rounds over all devices of a switch.
const ROUND: Duration = Duration::from_secs(60);

/// The same while a device is kept back, or could not be looked after.
const AGAIN: Duration = Duration::from_secs(5);

/// How long a switch may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Looks after the devices of all switches.
pub(crate) struct Life {
    node: Arc<Node>,
    /// The kubelet's PodResources socket.
    pod_resources: PathBuf,
}

impl Life {
    pub(crate) fn new(node: Arc<Node>, pod_resources: PathBuf) -> Self {
        Self { node, pod_resources }
    }

    /// One round each minute, and one when the switch has come back.
    pub(crate) async fn watch(self: Arc<Self>, switch: usize) {
        let (mut returns, mut is_settled, mut last) = (0, false, Instant::now());
        loop {
            sleep(LOOK).await;
            let pause = if is_settled && !self.node.keeps_any_back() { ROUND } else { AGAIN };
            match self.node.returns(switch) {
                Some(seen) if seen != returns || last.elapsed() >= pause => {
                    // A switch that has just come back may not have everything yet.
                    is_settled = self.round(switch).await && seen == returns;
                    returns = seen;
                    last = Instant::now();
                }
                _ => {}
            }
        }
    }

    /// Returns false if something is left to be done soon.
    async fn round(&self, switch: usize) -> bool {
        let all = Datum::map([(OWNER, OWNER_NAME)]);
        let ovsdb = self.node.config.switches[switch].ovsdb.as_ref();
        let Ok(ours) = ask(ovsdb, move |client| Ours::read(client, &all)).await else { return false };
        let device = |port: &Port| port.external_ids.get(DEVICE)?.parse().ok();
        let plugged = ours.ports.iter().filter_map(device).collect();
        self.node.plugged(switch, plugged);
        let mut is_settled = true;
        for (ports, id) in self.node.devices().filter(|(ports, _)| ports.switch == switch) {
            is_settled &= self.look_after(ports, &id).await;
        }
        is_settled
    }

    async fn look_after(&self, ports: &Ports, id: &DeviceId) -> bool {
        let is_plugged = self.node.may_be_plugged(ports.switch, id);
        let done = match self.node.is_in_use(id) {
            None => return false,
            Some(false) if is_plugged || self.has_left(ports, id) => self.free_once(ports, id).await,
            Some(true) if !is_plugged => self.plug_again(ports, id).await,
            _ => Ok(()),
        };
        if let Err(LifeError::Dir(_)) = done {
            return false;
        }
        self.node.keep_back(id, done.as_ref().err().map(ToString::to_string));
        done.is_ok()
    }

    /// Whether there is a record, or a socket of the switch, of a device without a port.
    fn has_left(&self, ports: &Ports, id: &DeviceId) -> bool {
        let root = &self.node.config.sockets.host_root;
        let socket =
            || SocketDir::open(root, id).ok().flatten().and_then(|dir| dir.find_socket().ok().flatten());
        DeviceLock::has_record(root, id) || ports.mode == SocketMode::Client && socket().is_some()
    }

    /// Nobody else attaches, detaches or looks after the device meanwhile; `None` if it has no directory.
    fn hold(&self, id: &DeviceId) -> Result<Option<DeviceLock>, LifeError> {
        Ok(DeviceLock::take(&self.node.config.sockets.host_root, id, Instant::now())?)
    }
}

/// What ADD has written down, if it can be read.
fn recorded(lock: &DeviceLock) -> Result<Option<Wanted>, LifeError> {
    Ok(lock.record()?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Asks a switch, beside the one thread of everything else.
async fn ask<T: Send + 'static>(
    ovsdb: &Path,
    question: impl FnOnce(&mut Client) -> Result<T, OvsdbError> + Send + 'static,
) -> Result<T, LifeError> {
    let ovsdb = ovsdb.to_owned();
    let asked = spawn_blocking(move || question(&mut Client::connect(&ovsdb, Instant::now() + ANSWER)?));
    Ok(asked.await??)
}
