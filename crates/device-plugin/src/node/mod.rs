//! What the device plugin holds of its node: the directories and files of all devices, who has them, and which of them
//! may be offered. Every change of it is one function here, without a wait in it, so none can come between another's
//! steps.

mod ports;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::{
    config::{Config, Ports},
    info_files::{InfoFileError, InfoFiles},
    inventory::{Health, Inventory},
    kubelet::Listing,
    metrics::Metrics,
    readiness::Readiness,
    resource::Offer,
    root::{RootError, SocketRoot},
};
use vocabulary::DeviceId;
use vocabulary::device_info::{DeviceInfo, file_name};

/// Why a device is not ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    InfoFile(#[from] InfoFileError),
}

/// How long after the start the directory of a device that is no more stays in any case.
const ORPHAN_GRACE: Duration = Duration::from_secs(60);

/// Namespace and name of the pod in which this program runs: a list of pods without it is not complete.
pub(crate) type OwnPod = (String, String);

/// Everything of one node.
pub(crate) struct Node {
    pub(crate) config: Config,
    own_pod: Option<OwnPod>,
    started: Instant,
    pub(crate) root: SocketRoot,
    files: InfoFiles,
    metrics: Metrics,
    state: Mutex<State>,
    /// By resource, in the configuration's order.
    offers: Vec<watch::Sender<Vec<Offer>>>,
}

struct State {
    inventory: Inventory,
    /// Devices that could not be made ready, and are not offered.
    broken: BTreeSet<DeviceId>,
    /// Devices that no pod may get now, and why.
    kept_back: BTreeMap<DeviceId, String>,
    /// Directories of devices that are no more and that no pod has, as of the last whole list.
    orphans: BTreeSet<DeviceId>,
    /// By switch.
    switches: Vec<SwitchState>,
}

#[derive(Default)]
struct SwitchState {
    health: Health,
    /// The NUMA node of all its bridge's uplinks, if they are on one.
    numa_node: Option<u32>,
    /// At the last look, and how often it was not there at the look before.
    is_there: bool,
    returns: u64,
    /// Devices that had a port when their ports were last read.
    plugged: BTreeSet<DeviceId>,
}

impl Node {
    /// Makes every device's directory and file, so that a pod which the kubelet restarts without another `Allocate`, as
    /// after a reboot, finds them.
    pub(crate) fn prepare(
        config: Config,
        own_pod: Option<OwnPod>,
        root: SocketRoot,
        files: InfoFiles,
        metrics: Metrics,
        readiness: &Readiness,
    ) -> Result<Self, NodeError> {
        let devices = config.resources.iter().flat_map(Ports::devices);
        let state = State {
            inventory: Inventory::new(devices),
            broken: BTreeSet::new(),
            kept_back: BTreeMap::new(),
            orphans: BTreeSet::new(),
            switches: config.switches.iter().map(|_| SwitchState::default()).collect(),
        };
        let offers = config.resources.iter().map(|_| watch::Sender::new(Vec::new())).collect();
        let (state, started) = (Mutex::new(state), Instant::now());
        let node = Self { config, own_pod, started, root, files, metrics, state, offers };
        node.make_all(readiness)?;
        node.publish();
        Ok(node)
    }

    /// A device that cannot be made ready is not offered, and the others are.
    fn make_all(&self, readiness: &Readiness) -> Result<(), NodeError> {
        for (ports, id) in self.devices() {
            match self.root.ensure(&id, ports.mode) {
                Ok(()) => drop(self.write_info(ports, &id)?),
                Err(error) => self.set_broken(&id, &error, readiness),
            }
        }
        self.sweep_files()
    }

    /// Restores what somebody has changed: directories, their rights, device-info files.
    pub(crate) fn repair(&self, readiness: &Readiness) {
        let mut fixed = Vec::new();
        let mut failed = |who: &str, result: Result<bool, NodeError>| match result {
            Ok(false) => readiness.ready(who),
            Ok(true) => {
                warn!("{who}: owner, rights or file were changed by somebody; fixed");
                readiness.ready(who);
                fixed.push(who.to_owned());
            }
            Err(error) => readiness.not_ready(who, error.to_string()),
        };
        failed("socket root", self.root.repair_itself().map_err(NodeError::Root));
        for (ports, id) in self.devices() {
            if !self.state().broken.contains(&id) {
                failed(&format!("device {id}"), self.repair_device(ports, &id));
            }
        }
        failed("device-info files", self.sweep_files().map(|()| false));
        readiness.repaired(fixed);
    }

    fn repair_device(&self, ports: &Ports, id: &DeviceId) -> Result<bool, NodeError> {
        let directory = self.root.repair(id, ports.mode)?;
        Ok(self.write_info(ports, id)? || directory)
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = (&Ports, DeviceId)> {
        self.config.resources.iter().flat_map(|ports| ports.devices().map(move |id| (ports, id)))
    }

    fn set_broken(&self, id: &DeviceId, error: &RootError, readiness: &Readiness) {
        error!(device = %id, "{error}");
        readiness.not_ready(&format!("device {id}"), error.to_string());
        self.state().broken.insert(id.clone());
    }

    fn write_info(&self, ports: &Ports, id: &DeviceId) -> Result<bool, InfoFileError> {
        let info = DeviceInfo { mode: ports.mode, path: self.config.sockets.in_container(id) };
        self.files.write(&self.config.full_name(&ports.name), id, &info)
    }

    fn sweep_files(&self) -> Result<(), NodeError> {
        let name = |(ports, id): (&Ports, DeviceId)| file_name(&self.config.full_name(&ports.name), &id);
        let removed = self.files.sweep(&self.devices().map(name).collect())?;
        if removed > 0 {
            info!(removed, "removed stale device-info files");
        }
        Ok(())
    }

    /// Removes the device-info files, as their specification asks of a plugin that ends. Directories and mounts stay:
    /// pods are using them.
    pub(crate) fn end(&self) {
        for (ports, id) in self.devices() {
            if let Err(error) = self.files.remove(&self.config.full_name(&ports.name), &id) {
                warn!("{error}");
            }
        }
    }

    /// Makes a device ready for a pod.
    pub(crate) fn allocate(&self, ports: &Ports, id: &DeviceId) -> Result<(), NodeError> {
        // Must come first: from now on no listing of the kubelet may free the device.
        self.state().inventory.allocate(id, Instant::now());
        let left = self.root.hand_over(id, ports.mode)?;
        if left > 0 {
            info!(device = %id, entries = left, "removed leftovers of the previous pod");
            self.metrics.directory_cleared();
        }
        self.write_info(ports, id)?;
        Ok(())
    }

    /// The kubelet's list of what pods have. A list without any pod is that of a kubelet that has not heard of them yet.
    pub(crate) fn listed(&self, listing: &Listing, now: Instant) {
        let listed = listing.devices.iter().filter_map(|(_, id)| id.parse().ok()).collect();
        let whole = self.is_whole(listing) || self.own_pod.is_none() && !listing.pods.is_empty();
        self.state().inventory.listed(&listed, whole, now);
        // What is removed is gone.
        if self.is_whole(listing) {
            self.remove_orphans(&listed, now);
        }
        self.publish();
    }

    /// Directories of devices that are no longer offered, that no pod has, and that none had in the list before.
    fn remove_orphans(&self, listed: &BTreeSet<DeviceId>, now: Instant) {
        let offered = |id: &DeviceId| self.config.resources.iter().any(|ports| ports.has(id));
        let found = self.root.devices().inspect_err(|error| error!("{error}")).unwrap_or_default();
        let orphans = found.into_iter().filter(|id| !offered(id) && !listed.contains(id)).collect();
        let before = std::mem::replace(&mut self.state().orphans, orphans);
        if now - self.started < ORPHAN_GRACE {
            return;
        }
        let orphans = self.state().orphans.clone();
        for id in orphans.intersection(&before) {
            match self.root.remove(id) {
                Ok(()) => info!(device = %id, "removed a stale device directory"),
                Err(error) => error!(device = %id, "{error}"),
            }
        }
    }

    /// One look at a switch: the NUMA nodes of its bridge's uplinks, or why it is not there.
    pub(crate) fn switch_seen(&self, switch: usize, seen: Result<&[Option<u32>], &str>) {
        let name = &self.config.switches[switch].name;
        let (changed, moved) = {
            let mut state = self.state();
            let known = &mut state.switches[switch];
            let before = known.numa_node;
            known.numa_node = seen.map_or(before, only_node);
            known.returns += u64::from(seen.is_ok() && !known.is_there);
            known.is_there = seen.is_ok();
            (known.health.seen(seen.is_ok(), Instant::now()), known.numa_node != before)
        };
        self.metrics.switch_up(name, seen.is_ok());
        match (changed, seen) {
            (true, Ok(_)) => info!(switch = name, "switch ready: its devices are Healthy"),
            (true, Err(reason)) => error!(
                switch = name,
                reason,
                "switch not ready: its devices are Unhealthy, except those that pods have or may have"
            ),
            (false, _) => {}
        }
        if changed || moved {
            self.publish();
        }
    }

    /// What the kubelet is told of a resource.
    pub(crate) fn offers(&self, resource: usize) -> watch::Receiver<Vec<Offer>> {
        self.offers[resource].subscribe()
    }

    /// See [`Inventory::prefer`].
    pub(crate) fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String> {
        self.state().inventory.prefer(available, must, size)
    }

    fn publish(&self) {
        let state = self.state();
        for (ports, sender) in self.config.resources.iter().zip(&self.offers) {
            let switch = &state.switches[ports.switch];
            let (mut offers, mut in_use) = (Vec::new(), 0);
            for id in ports.devices() {
                in_use += usize::from(state.inventory.is_in_use(&id));
                // An allocated device is never marked Unhealthy: it would not help the pod.
                let is_ready = !state.broken.contains(&id) && !state.kept_back.contains_key(&id);
                let fit = switch.health.is_healthy() && is_ready;
                let healthy = fit || state.inventory.must_stay_healthy(&id);
                offers.push(Offer { id: id.to_string(), healthy, numa_node: switch.numa_node });
            }
            let resource = self.config.full_name(&ports.name);
            self.metrics.in_use(&resource, in_use);
            sender.send_if_modified(|before| {
                let changed = *before != offers;
                *before = offers;
                changed
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves values behind that are each right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The NUMA node that all uplinks are on. A hint that is wrong for one of them is worse than none.
fn only_node(nodes: &[Option<u32>]) -> Option<u32> {
    let first = *nodes.first()?;
    if nodes.iter().all(|node| *node == first) { first } else { None }
}

#[cfg(test)]
mod tests;
