//! What runs beside the kubelet's calls: judging the switches, asking what is in use, repairing.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::spawn_blocking, time::sleep};
use tracing::warn;

use crate::{kubelet, node::Node, readiness::Readiness, switch};

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

pub(crate) async fn watch_switch(node: Arc<Node>, index: usize) {
    loop {
        sleep(LOOK).await;
        look_at_switch(Arc::clone(&node), index).await;
    }
}

pub(crate) async fn look_at_switch(node: Arc<Node>, index: usize) {
    let settings = node.config.switches[index].clone();
    let look = spawn_blocking(move || {
        switch::look(settings.ovsdb.as_ref(), &settings.bridge, Instant::now() + ANSWER)
    });
    let seen = look.await.unwrap_or_else(|error| Err(error.to_string()));
    node.switch_seen(index, seen.as_deref().map_err(String::as_str));
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
