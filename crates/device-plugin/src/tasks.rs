//! What runs beside the kubelet's calls: judging the switches, asking what is in use, repairing.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::spawn_blocking, time::sleep};
use tracing::warn;

use crate::{kubelet, node::Node, readiness::Readiness};
use ovs::BridgeState;

/// Time between two looks at a switch.
const LOOK: Duration = Duration::from_secs(1);

/// How long a switch may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Time between two lists of what pods have.
const LIST: Duration = Duration::from_secs(5);

/// How long the kubelet may take to answer.
const LIST_ANSWER: Duration = Duration::from_secs(3);

/// Time between two repairs.
const REPAIR: Duration = Duration::from_secs(60);

pub(crate) async fn watch_switch(node: Arc<Node>, switch: usize) {
    loop {
        sleep(LOOK).await;
        look_at_switch(Arc::clone(&node), switch).await;
    }
}

pub(crate) async fn look_at_switch(node: Arc<Node>, switch: usize) {
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

/// Asks the kubelet what pods have.
pub(crate) struct Usage {
    node: Arc<Node>,
    socket: PathBuf,
    failing: bool,
}

impl Usage {
    /// `socket` is the kubelet's PodResources socket.
    pub(crate) fn new(node: Arc<Node>, socket: PathBuf) -> Self {
        Self { node, socket, failing: false }
    }

    pub(crate) async fn watch(mut self) {
        loop {
            sleep(LIST).await;
            self.list().await;
        }
    }

    pub(crate) async fn list(&mut self) {
        match kubelet::in_use(&self.socket, self.node.config.domain.as_str(), LIST_ANSWER).await {
            Ok(listing) => {
                self.failing = false;
                self.node.listed(&listing, Instant::now());
            }
            Err(error) if !self.failing => {
                self.failing = true;
                warn!("{error}; until then no device is marked Unhealthy and stale directories are kept");
            }
            Err(_) => {}
        }
    }
}

pub(crate) async fn watch_devices(node: Arc<Node>, readiness: Readiness) {
    loop {
        sleep(REPAIR).await;
        node.repair(&readiness);
    }
}
