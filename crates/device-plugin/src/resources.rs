//! The two kinds of resources: ports of a switch, and the dataplane itself.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    life::Life,
    node::Node,
    resource::{AllocateError, DirMount, Freeing, Grant, Offer, Resource},
};
use vocabulary::{DeviceId, Quoted, SocketMode};

/// Ports: each device is a socket directory.
pub(crate) struct PortsResource {
    node: Arc<Node>,
    life: Arc<Life>,
    /// Its place in the configuration.
    index: usize,
    name: String,
}

impl PortsResource {
    pub(crate) fn new(node: Arc<Node>, life: Arc<Life>, index: usize) -> Self {
        let name = node.config.full_name(&node.config.resources[index].name);
        Self { node, life, index, name }
    }

    fn check(&self, ids: &[String]) -> Result<Vec<DeviceId>, AllocateError> {
        let ports = &self.node.config.resources[self.index];
        let check = |id: &String| {
            let known: Option<DeviceId> = id.parse().ok();
            known.filter(|id| ports.has(id)).ok_or_else(|| {
                let (id, name, count) = (Quoted(id), &self.name, ports.count);
                AllocateError::Unknown(format!(
                    "resource {name} has no device {id}, only {count} from number 0"
                ))
            })
        };
        // The kubelet passes them in random order. Sorted as Multus sorts them (by string), the paths are in the order of
        // the pod's networks.
        let mut ids = ids.iter().map(check).collect::<Result<Vec<_>, _>>()?;
        ids.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Ok(ids)
    }

    /// The name of the variable with the paths of a container's sockets, for applications without device-info.
    fn variable(&self) -> String {
        let name = self.node.config.resources[self.index].name.as_str();
        format!("VHOSTUSER_{}", name.to_ascii_uppercase().replace('-', "_"))
    }
}

impl Resource for PortsResource {
    fn name(&self) -> &str {
        &self.name
    }

    fn offers(&self) -> watch::Receiver<Vec<Offer>> {
        self.node.offers(self.index)
    }

    fn free<'f>(&'f self, ids: &'f [String]) -> Freeing<'f> {
        let ports = &self.node.config.resources[self.index];
        Box::pin(async move {
            for id in self.check(ids)? {
                let failed = |error| AllocateError::Failed(format!("device {id}: {error}"));
                self.life.free(ports, &id).await.map_err(failed)?;
            }
            Ok(())
        })
    }

    fn allocate(&self, ids: &[String]) -> Result<Grant, AllocateError> {
        let (config, ids) = (&self.node.config, self.check(ids)?);
        let ports = &config.resources[self.index];
        let (mut mounts, mut sockets) = (Vec::new(), Vec::new());
        for id in ids {
            let failed = |error| AllocateError::Failed(format!("device {id}: {error}"));
            self.node.allocate(ports, &id).map_err(failed)?;
            info!(device = %id, resource = self.name, ends = ports.mode.both_ends(), "allocated to a container");
            let socket = config.sockets.in_container(&id);
            mounts.push(DirMount {
                host: config.sockets.host_root.device(&id).display().to_string(),
                container: socket.parent().to_string(),
                // Where the switch listens the workload only connects, which a read-only mount allows.
                read_only: ports.mode == SocketMode::Client,
            });
            sockets.push(socket.to_string());
        }
        Ok(Grant { mounts, envs: vec![(self.variable(), sockets.join(","))] })
    }

    fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String> {
        self.node.prefer(available, must, size)
    }
}

/// The whole socket root, once, for the pod in which the switch runs.
pub(crate) struct Dataplane {
    name: String,
    root: String,
    offers: watch::Sender<Vec<Offer>>,
}

/// The only device of the dataplane resource.
const DATAPLANE: &str = "dataplane";

impl Dataplane {
    /// `root` is the socket root's path on the host, which the switch's pod sees under the same path: it is told paths
    /// of the host.
    pub(crate) fn new(name: String, root: String) -> Self {
        let offer = Offer { id: DATAPLANE.to_owned(), healthy: true, numa_node: None };
        Self { name, root, offers: watch::Sender::new(vec![offer]) }
    }
}

impl Resource for Dataplane {
    fn name(&self) -> &str {
        &self.name
    }

    fn offers(&self) -> watch::Receiver<Vec<Offer>> {
        self.offers.subscribe()
    }

    fn allocate(&self, ids: &[String]) -> Result<Grant, AllocateError> {
        if let Some(other) = ids.iter().find(|id| *id != DATAPLANE) {
            let text = format!("resource {} has no device {}, only {DATAPLANE}", self.name, Quoted(other));
            return Err(AllocateError::Unknown(text));
        }
        warn!(
            resource = self.name,
            "the whole socket root was allocated to a container: it reaches every socket"
        );
        let mount = DirMount { host: self.root.clone(), container: self.root.clone(), read_only: false };
        Ok(Grant { mounts: vec![mount], envs: Vec::new() })
    }

    fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String> {
        let rest = available.iter().filter(|id| !must.contains(id));
        must.iter().chain(rest).take(size).cloned().collect()
    }
}
