//! Free on the switch too.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tracing::info;

use super::{Life, LifeError, ask, recorded};
use crate::{config::Ports, kubelet};
use node::{
    sandbox,
    socketdir::{DeviceLock, SocketDir},
};
use ovs::{ours, ours::Ours, value::Datum};
use vocabulary::marks::{DEVICE, NETNS, OWNER, OWNER_NAME, POD_NAME, POD_NAMESPACE};
use vocabulary::{DeviceId, SOCKET_FILE, SocketMode};

/// How long a pod waits for what another has left: a DEL may be on its way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts meanwhile.
const PAUSE: Duration = Duration::from_millis(250);

/// Between the two lists of the kubelet.
const LISTS_APART: Duration = Duration::from_secs(1);

/// How long the kubelet may take to answer.
const LIST_ANSWER: Duration = Duration::from_secs(3);

impl Life {
    /// Before the device is given to a pod.
    pub(crate) async fn free(&self, ports: &Ports, id: &DeviceId) -> Result<(), LifeError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.free_once(ports, id).await {
                Err(_) if Instant::now() < deadline => sleep(PAUSE).await,
                done => {
                    self.node.keep_back(id, done.as_ref().err().map(ToString::to_string));
                    return done;
                }
            }
        }
    }

    pub(super) async fn free_once(&self, ports: &Ports, id: &DeviceId) -> Result<(), LifeError> {
        let Some(lock) = self.hold(id)? else { return Ok(()) };
        let record = recorded(&lock)?;
        let is_known = lock.record()?.is_some() || self.node.may_be_plugged(ports.switch, id);
        let own = self.node.config.switches[ports.switch].ovsdb.as_ref().to_owned();
        let databases: BTreeSet<PathBuf> =
            record.map(|record| record.ovsdb).into_iter().chain([own]).collect();
        for ovsdb in databases {
            match self.unplug(&ovsdb, id).await {
                // Nothing says that there is a port: a switch that restarts keeps no pod from its device.
                Err(LifeError::Switch(_)) if !is_known => {}
                done => done?,
            }
        }
        self.node.unplugged(ports.switch, id);
        self.tidy(ports, id, &lock)
    }

    async fn unplug(&self, ovsdb: &Path, id: &DeviceId) -> Result<(), LifeError> {
        let marks = Datum::map([(OWNER, OWNER_NAME), (DEVICE, id.as_str())]);
        let ours = ask(ovsdb, move |client| Ours::read(client, &marks)).await?;
        if ours.is_empty() {
            return Ok(());
        }
        if let Some(ids) = ours.ids().find(|ids| !is_gone(ids)) {
            return Err(lives_on(id, ids));
        }
        self.nobody_has(id).await?;
        ask(ovsdb, move |client| ours::unplug(client, &ours)).await?;
        info!(device = %id, port = id.port_name(), "removed a port from the switch: its pod is gone, and its DEL was lost");
        Ok(())
    }

    /// Two whole lists lack the device.
    async fn nobody_has(&self, id: &DeviceId) -> Result<(), LifeError> {
        let domain = self.node.config.domain.as_str();
        for pause in [Duration::ZERO, LISTS_APART] {
            sleep(pause).await;
            let listing = kubelet::in_use(&self.pod_resources, domain, LIST_ANSWER).await?;
            match listing.devices.iter().any(|(_, listed)| listed == id.as_str()) {
                _ if !self.node.is_whole(&listing) => return Err(LifeError::NotWhole),
                true => return Err(LifeError::InUse),
                false => {}
            }
        }
        Ok(())
    }

    /// What is no longer anybody's: the record, and a socket of the switch that came after its port had gone.
    fn tidy(&self, ports: &Ports, id: &DeviceId, lock: &DeviceLock) -> Result<(), LifeError> {
        lock.remove_record()?;
        if ports.mode == SocketMode::Client
            && let Some(dir) = SocketDir::open(&self.node.config.sockets.host_root, id)?
        {
            dir.remove(SOCKET_FILE)?;
        }
        Ok(())
    }
}

fn is_gone(ids: &BTreeMap<String, String>) -> bool {
    ids.get(NETNS).is_some_and(|netns| sandbox::is_gone(Path::new(netns)))
}

fn lives_on(id: &DeviceId, ids: &BTreeMap<String, String>) -> LifeError {
    let text = |key: &str| ids.get(key).map_or("", String::as_str);
    let pod = format!("{}/{}", text(POD_NAMESPACE), text(POD_NAME));
    LifeError::LivesOn { port: id.port_name(), pod, netns: ids.get(NETNS).cloned() }
}
