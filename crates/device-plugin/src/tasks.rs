//! What goes on beside the kubelet's calls: looking at the switches, placing their sockets, asking what is in use.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tracing::{error, info, warn};

use super::{
    config::Ports,
    kubelet,
    metrics::Metrics,
    node::Node,
    placing::{PlaceError, Placing},
    readiness::Readiness,
    watch::DirWatch,
};
use ovs::{self, BridgeState};
use vocabulary::{DeviceId, SocketMode};

/// Time between two looks at a switch.
const LOOK: Duration = Duration::from_secs(1);

/// How long a switch may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Time between two lists of what pods have.
const LIST: Duration = Duration::from_secs(5);

/// How long the kubelet may take to make one.
const LIST_ANSWER: Duration = Duration::from_secs(3);

/// Looks at one switch for ever.
pub(super) async fn watch_switch(node: Arc<Node>, switch: usize) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let settings = node.config.switches[switch].clone();
        let look = spawn_blocking(move || {
            ovs::bridge_state(settings.ovsdb.as_ref(), &settings.bridge, Instant::now() + ANSWER)
        });
        match look.await {
            Ok(Ok(state)) => match not_userspace(&node.config.switches[switch].bridge, &state) {
                None => node.switch_seen(switch, Ok(&state.uplink_numa_nodes)),
                Some(reason) => node.switch_seen(switch, Err(&reason)),
            },
            Ok(Err(error)) => node.switch_seen(switch, Err(&error.to_string())),
            Err(error) => node.switch_seen(switch, Err(&error.to_string())),
        }
    }
}

fn not_userspace(bridge: &str, state: &BridgeState) -> Option<String> {
    let found = &state.datapath_type;
    (found != "netdev").then(|| {
        let shown = if found.is_empty() { "system" } else { found };
        format!(
            "bridge {bridge} has the datapath type {shown}, and DPDK ports need netdev: ovs-vsctl set bridge {bridge} \
             datapath_type=netdev"
        )
    })
}

/// Asks the kubelet for ever what pods have.
pub(super) async fn watch_use(node: Arc<Node>, socket: PathBuf) {
    let domain = node.config.domain.as_str().to_owned();
    let mut ticks = interval(LIST);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match kubelet::in_use(&socket, &domain, LIST_ANSWER).await {
            Ok(listing) => {
                failing = false;
                node.listed(&listing, Instant::now());
            }
            Err(error) if !failing => {
                failing = true;
                warn!(
                    "{error}; until then no device is reported unhealthy, and directories of devices that are no more stay"
                );
            }
            Err(_) => {}
        }
    }
}

/// The sockets of one switch that listens.
pub(super) struct SwitchSockets {
    dir: PathBuf,
    placing: Option<Placing>,
    devices: Vec<DeviceId>,
}

impl SwitchSockets {
    /// Those of a switch that has resources in client mode. The switch's directory need not be there yet.
    pub(super) fn of(node: &Node, switch: usize) -> Result<Option<Self>, PlaceError> {
        let config = &node.config;
        let Some(dir) = &config.switches[switch].sockets else { return Ok(None) };
        let ports = config.resources.iter();
        let listening = ports.filter(|ports| ports.switch == switch && ports.mode == SocketMode::Client);
        let devices: Vec<DeviceId> = listening.flat_map(Ports::devices).collect();
        if devices.is_empty() {
            return Ok(None);
        }
        let mut sockets = Self { dir: dir.as_ref().to_owned(), placing: None, devices };
        sockets.open(node)?;
        Ok(Some(sockets))
    }

    /// Places them for ever.
    pub(super) async fn watch(mut self, node: Arc<Node>, metrics: Metrics, readiness: Readiness) {
        let who = format!("sockets in {}", self.dir.display());
        let mut watch = DirWatch::new(self.dir.clone());
        let mut told = BTreeSet::new();
        loop {
            // It may have been mounted over, or be a link that leads elsewhere now.
            if self.placing.as_ref().is_some_and(|placing| !placing.is_in_place(&self.dir)) {
                self.placing = None;
            }
            let problems = match self.open(&node) {
                Ok(()) => self.place_all(&metrics),
                Err(error) => BTreeSet::from([error.to_string()]),
            };
            // Each once, and not each second.
            problems.difference(&told).for_each(|problem| error!("{problem}"));
            match problems.iter().next() {
                None => readiness.ready(&who),
                Some(problem) => readiness.not_ready(&who, problem.clone()),
            }
            told = problems;
            watch.changed(LOOK).await;
        }
    }

    fn open(&mut self, node: &Node) -> Result<(), PlaceError> {
        if self.placing.is_some() {
            return Ok(());
        }
        let dir = match resolve(&self.dir) {
            Err(PlaceError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result?,
        };
        let sockets = &node.config.sockets;
        let (owner, label) = (sockets.access.owner, sockets.label.clone());
        self.placing = Some(Placing::new(&dir, node.root.path(), owner, label)?);
        Ok(())
    }

    /// What is in the way of any of them.
    fn place_all(&self, metrics: &Metrics) -> BTreeSet<String> {
        let Some(placing) = &self.placing else { return BTreeSet::new() };
        let mut problems = BTreeSet::new();
        for id in &self.devices {
            match placing.place(id) {
                Ok(false) => {}
                Ok(true) => {
                    info!(device = %id, "the switch's socket is in its pod's directory");
                    metrics.socket_placed();
                }
                Err(error) => drop(problems.insert(error.to_string())),
            }
        }
        problems
    }
}

fn resolve(dir: &Path) -> Result<PathBuf, PlaceError> {
    let action = "cannot be resolved";
    fs::canonicalize(dir).map_err(|error| PlaceError::Io { path: dir.to_owned(), action, error })
}
