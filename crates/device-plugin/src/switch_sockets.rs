//! Moves the sockets on which a switch listens (`client` mode) to their pods, once a second.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::time::sleep;
use tracing::{error, info};

use crate::{
    config::Ports,
    metrics::Metrics,
    node::Node,
    placing::{PlaceError, Placing},
    readiness::Readiness,
};
use vocabulary::{DeviceId, SocketMode};

/// Time between two looks at the switch's directory.
const LOOK: Duration = Duration::from_secs(1);

/// The sockets of one switch.
pub(crate) struct SwitchSockets {
    dir: PathBuf,
    placing: Option<Placing>,
    devices: Vec<DeviceId>,
}

impl SwitchSockets {
    /// `None` for a switch without resources in client mode. The switch's directory need not exist yet.
    pub(crate) fn of(node: &Node, switch: usize) -> Result<Option<Self>, PlaceError> {
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

    pub(crate) async fn watch(mut self, node: Arc<Node>, metrics: Metrics, readiness: Readiness) {
        let who = format!("sockets in {}", self.dir.display());
        let mut reported = BTreeSet::new();
        loop {
            let problems = match self.open(&node) {
                Ok(()) => self.place_all(&metrics),
                Err(error) => BTreeSet::from([error.to_string()]),
            };
            // Each once, not each second.
            problems.difference(&reported).for_each(|problem| error!("{problem}"));
            match problems.first() {
                None => readiness.ready(&who),
                Some(problem) => readiness.not_ready(&who, problem.clone()),
            }
            reported = problems;
            sleep(LOOK).await;
        }
    }

    fn open(&mut self, node: &Node) -> Result<(), PlaceError> {
        // Since the last look it may have been mounted over, or be a link that points elsewhere.
        if self.placing.as_ref().is_some_and(|placing| placing.is_in_place(&self.dir)) {
            return Ok(());
        }
        self.placing = None;
        let dir = match resolve(&self.dir) {
            Err(PlaceError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result?,
        };
        let sockets = &node.config.sockets;
        let (owner, label) = (sockets.access.owner, sockets.label.clone());
        self.placing = Some(Placing::new(&dir, node.root.path(), owner, label)?);
        Ok(())
    }

    /// Returns what prevents any of them from being moved.
    fn place_all(&self, metrics: &Metrics) -> BTreeSet<String> {
        let Some(placing) = &self.placing else { return BTreeSet::new() };
        let mut problems = BTreeSet::new();
        for id in &self.devices {
            match placing.place(id) {
                Ok(false) => {}
                Ok(true) => {
                    info!(device = %id, "moved the switch's socket to the pod's directory");
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
