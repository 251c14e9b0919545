//! What the device plugin holds of its node: the directories and files of all devices, who has them, and which of them
//! may be offered. Every change of it is one function here, without a wait in it, so none can come between another's
//! steps.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{
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
pub(super) enum NodeError {
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    InfoFile(#[from] InfoFileError),
}

/// How long after the start the directory of a device that is no more stays in any case.
const ORPHAN_GRACE: Duration = Duration::from_secs(60);

/// The pod in which this program runs: a list of pods in which it is missing is not whole.
pub(super) type OwnPod = (String, String);

/// Everything of one node.
pub(super) struct Node {
    pub(super) config: Config,
    own_pod: Option<OwnPod>,
    started: Instant,
    pub(super) root: SocketRoot,
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
    /// Directories of devices that are no more and that no pod has, as of the last whole list.
    orphans: BTreeSet<DeviceId>,
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
        own_pod: Option<OwnPod>,
        root: SocketRoot,
        files: InfoFiles,
        metrics: Metrics,
        readiness: &Readiness,
    ) -> Result<Self, NodeError> {
        let devices = config.resources.iter().flat_map(Ports::devices);
        let state = State {
            inventory: Inventory::new(devices, Instant::now()),
            broken: BTreeSet::new(),
            orphans: BTreeSet::new(),
            switches: config
                .switches
                .iter()
                .map(|_| SwitchState { health: Health::new(), numa_node: None })
                .collect(),
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
        let mut wanted = BTreeSet::new();
        for ports in &self.config.resources {
            let resource = self.config.full_name(&ports.name);
            for id in ports.devices() {
                if let Err(error) = self.root.ensure(&id, ports.mode) {
                    error!(device = %id, "{error}");
                    readiness.not_ready(&format!("device {id}"), error.to_string());
                    self.state().broken.insert(id);
                    continue;
                }
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

    /// The kubelet's list of what pods have. A list without any pod is that of a kubelet that has not heard of them yet.
    pub(super) fn listed(&self, listing: &Listing, now: Instant) {
        let listed = listing.devices.iter().filter_map(|(_, id)| id.parse().ok()).collect();
        let whole = match &self.own_pod {
            Some(own) => listing.pods.contains(own),
            None => !listing.pods.is_empty(),
        };
        self.state().inventory.listed(&listed, whole, now);
        // Without knowing our own pod nothing proves that the list is whole, and what is removed is gone.
        if whole && self.own_pod.is_some() {
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
                error!(
                    switch = name,
                    reason,
                    "the switch is gone: its devices are unhealthy, but for those that pods have or may have"
                )
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
                let fit = switch.health.healthy() && !state.broken.contains(&id);
                let healthy = fit || state.inventory.may_be_in_use(&id);
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
    use crate::own_mounts::inside;

    const SOCKETS: &str = "
domain: a.b
sockets: {hostRoot: /run/vhostuser}
switches: [{name: ovs, bridge: br}]
resources: [{name: sockets, ports: 2, mode: server, switch: ovs}]
";

    fn node(config: &str) -> Node {
        let config = Config::parse(config).unwrap();
        let root = SocketRoot::prepare(&config).unwrap();
        let files =
            InfoFiles::open("/run/devinfo".into(), "a.b", config.sockets.container_root.clone()).unwrap();
        let own_pod = Some(("ns".to_owned(), "plugin".to_owned()));
        Node::prepare(config, own_pod, root, files, Metrics::new(Vec::new()), &Readiness::new()).unwrap()
    }

    fn listing(pods: &[&str], ids: &[&str]) -> Listing {
        Listing {
            devices: ids.iter().map(|id| ("a.b/sockets".to_owned(), (*id).to_owned())).collect(),
            pods: pods.iter().map(|pod| ("ns".to_owned(), (*pod).to_owned())).collect(),
        }
    }

    fn ids(node: &Node) -> Vec<String> {
        let mut ids: Vec<_> = node.root.devices().unwrap().iter().map(DeviceId::to_string).collect();
        ids.sort();
        ids
    }

    /// Devices of an earlier configuration: while a pod has one, and while it is not certain that none has.
    #[test]
    fn only_what_certainly_nobody_has_is_removed() {
        if !inside("node::tests::only_what_certainly_nobody_has_is_removed") {
            return;
        }
        drop(node(&SOCKETS.replace("ports: 2", "ports: 5")));
        std::fs::write("/run/vhostuser/sockets-4/pod/vhost.sock", "in use").unwrap();
        let node = node(SOCKETS);
        let later = |seconds| node.started + Duration::from_secs(seconds);
        let all = ["sockets-0", "sockets-1", "sockets-2", "sockets-3", "sockets-4"];
        // Too early; a kubelet that knows of no pod yet; one that knows of others, but not of ours.
        node.listed(&listing(&["plugin", "vm"], &["sockets-4"]), later(1));
        node.listed(&listing(&[], &[]), later(100));
        node.listed(&listing(&["static"], &[]), later(110));
        assert_eq!(ids(&node), all);
        // Whole; one has just been given back.
        node.listed(&listing(&["plugin", "vm"], &["sockets-3", "sockets-4"]), later(120));
        assert_eq!(ids(&node), ["sockets-0", "sockets-1", "sockets-3", "sockets-4"]);
        node.listed(&listing(&["plugin", "vm"], &["sockets-4"]), later(130));
        assert_eq!(ids(&node), ["sockets-0", "sockets-1", "sockets-3", "sockets-4"]);
        node.listed(&listing(&["plugin", "vm"], &["sockets-4"]), later(140));
        assert_eq!(ids(&node), ["sockets-0", "sockets-1", "sockets-4"]);
        let kept = std::fs::read_to_string("/run/vhostuser/sockets-4/pod/vhost.sock").unwrap();
        assert_eq!(kept, "in use");
    }

    /// One device that cannot be made ready: the others are offered.
    #[test]
    fn a_broken_device_is_not_offered() {
        if !inside("node::tests::a_broken_device_is_not_offered") {
            return;
        }
        drop(node(&SOCKETS.replace("ports: 2", "ports: 1")));
        std::fs::create_dir_all("/run/vhostuser/sockets-1/pod").unwrap();
        let node = node(SOCKETS);
        // Once it is certain that no pod has it.
        node.listed(&listing(&["plugin"], &[]), node.started + Duration::from_secs(10));
        let offered: Vec<_> =
            node.offers(0).borrow().iter().map(|one| (one.id.clone(), one.healthy)).collect();
        assert_eq!(offered, [("sockets-0".to_owned(), true), ("sockets-1".to_owned(), false)]);
    }

    #[test]
    fn uplinks_on_several_nodes_give_no_hint() {
        assert_eq!(only_node(&[]), None);
        assert_eq!(only_node(&[Some(1), Some(1)]), Some(1));
        assert_eq!(only_node(&[Some(1), Some(0)]), None);
        assert_eq!(only_node(&[Some(1), None]), None);
        assert_eq!(only_node(&[None]), None);
    }
}
