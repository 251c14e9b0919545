//! What the device plugin holds of its node: the directories and files of all devices, who has them, and which of them
//! may be offered. Every change of it is one function here, without a wait in it, so none can come between another's
//! steps.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{
    config::{Config, Ports},
    info_files::{InfoFileError, InfoFiles},
    inventory::{Health, Inventory},
    metrics::Metrics,
    resource::Offer,
    root::{RootError, SocketRoot},
};
use crate::{
    deviceinfo::{DeviceInfo, file_name},
    vhostuser::DeviceId,
};

/// Why a device is not ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    InfoFile(#[from] InfoFileError),
}

/// Everything of one node.
pub(super) struct Node {
    pub(super) config: Config,
    pub(super) root: SocketRoot,
    files: InfoFiles,
    metrics: Metrics,
    state: Mutex<State>,
    /// By resource, in the configuration's order.
    offers: Vec<watch::Sender<Vec<Offer>>>,
}

struct State {
    inventory: Inventory,
    /// By switch.
    switches: Vec<SwitchState>,
}

struct SwitchState {
    health: Health,
    /// The NUMA node of all its bridge's uplinks, if they are on one.
    numa_node: Option<u32>,
}

impl Node {
    /// Makes every device's directory and file, so that a pod which the kubelet restarts without another `Allocate`, as
    /// after a reboot, finds them.
    pub(super) fn prepare(
        config: Config,
        root: SocketRoot,
        files: InfoFiles,
        metrics: Metrics,
    ) -> Result<Self, NodeError> {
        let devices = config.resources.iter().flat_map(Ports::devices);
        let state = State {
            inventory: Inventory::new(devices, Instant::now()),
            switches: config
                .switches
                .iter()
                .map(|_| SwitchState { health: Health::new(), numa_node: None })
                .collect(),
        };
        let offers = config.resources.iter().map(|_| watch::Sender::new(Vec::new())).collect();
        let node = Self { config, root, files, metrics, state: Mutex::new(state), offers };
        node.make_all()?;
        node.publish();
        Ok(node)
    }

    fn make_all(&self) -> Result<(), NodeError> {
        let mut wanted = BTreeSet::new();
        for ports in &self.config.resources {
            let resource = self.config.full_name(&ports.name);
            for id in ports.devices() {
                self.root.ensure(&id, ports.mode)?;
                self.files.write(&resource, &id, &self.info(ports, &id))?;
                wanted.insert(file_name(&resource, &id));
            }
        }
        let removed = self.files.sweep(&wanted)?;
        if removed > 0 {
            info!(removed, "device-info files of devices that are no more");
        }
        Ok(())
    }

    /// Removes the device-info files, as their specification asks of a plugin that ends. Directories and mounts stay:
    /// pods are using them.
    pub(super) fn end(&self) {
        for ports in &self.config.resources {
            let resource = self.config.full_name(&ports.name);
            for id in ports.devices() {
                if let Err(error) = self.files.remove(&resource, &id) {
                    warn!("{error}");
                }
            }
        }
    }

    /// Makes a device ready for a pod.
    pub(super) fn give(&self, ports: &Ports, id: &DeviceId) -> Result<(), NodeError> {
        // First: from here on a list of the kubelet's cannot set it free.
        self.state().inventory.give(id, Instant::now());
        let left = self.root.hand_over(id, ports.mode)?;
        if left > 0 {
            info!(device = %id, entries = left, "removed what an earlier pod had left");
            self.metrics.directory_cleared();
        }
        let resource = self.config.full_name(&ports.name);
        Ok(self.files.write(&resource, id, &self.info(ports, id))?)
    }

    /// The kubelet's whole list of devices that pods have.
    pub(super) fn listed(&self, listed: &BTreeSet<DeviceId>) {
        let freed = self.state().inventory.listed(listed, Instant::now());
        for id in freed {
            match self.root.clear(&id) {
                Ok(0) => {}
                Ok(entries) => {
                    info!(device = %id, entries, "removed what a pod that is gone had left");
                    self.metrics.directory_cleared();
                }
                Err(error) => error!(device = %id, "{error}"),
            }
        }
        self.remove_orphans(listed);
        self.publish();
    }

    /// Directories of devices that are no longer offered and that no pod has.
    fn remove_orphans(&self, listed: &BTreeSet<DeviceId>) {
        let offered: BTreeSet<_> = self.config.resources.iter().flat_map(Ports::devices).collect();
        let found = self.root.devices().inspect_err(|error| error!("{error}")).unwrap_or_default();
        for id in found.iter().filter(|id| !offered.contains(id) && !listed.contains(id)) {
            match self.root.remove(id) {
                Ok(()) => info!(device = %id, "removed the directory of a device that is no more"),
                Err(error) => error!(device = %id, "{error}"),
            }
        }
    }

    /// One look at a switch: the NUMA nodes of its bridge's uplinks, or why it is not there.
    pub(super) fn switch_seen(&self, switch: usize, seen: Result<&[Option<u32>], &str>) {
        let name = &self.config.switches[switch].name;
        let (changed, moved) = {
            let mut state = self.state();
            let known = &mut state.switches[switch];
            let before = known.numa_node;
            known.numa_node = seen.map_or(before, only_node);
            (known.health.seen(seen.is_ok(), Instant::now()), known.numa_node != before)
        };
        self.metrics.switch_up(name, seen.is_ok());
        match (changed, seen) {
            (true, Ok(_)) => info!(switch = name, "the switch is there again: its devices are healthy"),
            (true, Err(reason)) => {
                error!(switch = name, reason, "the switch is gone: its devices are unhealthy")
            }
            (false, _) => {}
        }
        if changed || moved {
            self.publish();
        }
    }

    /// What the kubelet is told of a resource.
    pub(super) fn offers(&self, resource: usize) -> watch::Receiver<Vec<Offer>> {
        self.offers[resource].subscribe()
    }

    /// See [`Inventory::prefer`].
    pub(super) fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String> {
        self.state().inventory.prefer(available, must, size)
    }

    fn info(&self, ports: &Ports, id: &DeviceId) -> DeviceInfo {
        DeviceInfo { mode: ports.mode, path: self.config.sockets.in_container(id) }
    }

    fn publish(&self) {
        let state = self.state();
        for (ports, sender) in self.config.resources.iter().zip(&self.offers) {
            let switch = &state.switches[ports.switch];
            let (mut offers, mut in_use) = (Vec::new(), 0);
            for id in ports.devices() {
                in_use += usize::from(state.inventory.is_known_in_use(&id));
                // A pod that has it is not helped by hearing that it is ill.
                let healthy = switch.health.healthy() || state.inventory.may_be_in_use(&id);
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
mod tests {
    use super::*;

    #[test]
    fn uplinks_on_several_nodes_give_no_hint() {
        assert_eq!(only_node(&[]), None);
        assert_eq!(only_node(&[Some(1), Some(1)]), Some(1));
        assert_eq!(only_node(&[Some(1), Some(0)]), None);
        assert_eq!(only_node(&[Some(1), None]), None);
        assert_eq!(only_node(&[None]), None);
    }
}
