//! What a kubelet knows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::{Deserialize, Serialize};
use tokio::task::AbortHandle;

use super::{plugin::Client, proto::plugin::DevicePluginOptions};

/// A registration as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub version: String,
    pub endpoint: String,
    pub resource: String,
    pub options: DevicePluginOptions,
}

/// A device as the plugin reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub id: String,
    pub healthy: bool,
    pub numa_nodes: Vec<i64>,
}

/// What a container was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    pub resource: String,
    pub ids: BTreeSet<String>,
    pub mounts: Vec<Mount>,
    pub envs: BTreeMap<String, String>,
}

/// A directory of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mount {
    pub host: String,
    pub container: String,
    pub read_only: bool,
}

/// A plugin that has registered.
pub struct Plugin {
    pub client: Client,
    pub options: DevicePluginOptions,
    pub devices: BTreeMap<String, Device>,
    pub lists: usize,
    pub listens: bool,
    /// Ends the listening.
    pub task: Option<AbortHandle>,
}

impl Plugin {
    /// Its stream has ended: what it offered counts as unhealthy until it comes back.
    pub fn disconnected(&mut self) {
        self.listens = false;
        self.devices.values_mut().for_each(|device| device.healthy = false);
    }
}

/// What one kubelet process knows.
#[derive(Default)]
pub struct State {
    pub registrations: Vec<Registration>,
    pub duplicates: usize,
    pub refuse: usize,
    pub deaf: bool,
    pub ignorant: bool,
    pub plugins: BTreeMap<String, Plugin>,
    /// What each pod has.
    pub pods: BTreeMap<String, Vec<Allocation>>,
}

impl State {
    /// What an earlier life has left.
    pub fn read(checkpoint: &Path) -> Self {
        let pods = match fs::read(checkpoint) {
            Ok(bytes) => serde_json::from_slice(&bytes).expect("the checkpoint is ours"),
            Err(_) => BTreeMap::new(),
        };
        Self { pods, ..Self::default() }
    }

    pub fn write(&self, checkpoint: &Path) {
        let temporary = checkpoint.with_extension("tmp");
        fs::write(&temporary, serde_json::to_vec(&self.pods).unwrap()).unwrap();
        fs::rename(temporary, checkpoint).unwrap();
    }

    /// Closes every connection to a plugin.
    pub fn let_go(&mut self) {
        for plugin in self.plugins.values() {
            plugin.task.as_ref().inspect(|task| task.abort());
        }
        self.plugins.clear();
    }

    /// The devices that pods have.
    pub fn in_use(&self, resource: &str) -> BTreeSet<String> {
        let allocations = self.pods.values().flatten().filter(|allocation| allocation.resource == resource);
        allocations.flat_map(|allocation| allocation.ids.clone()).collect()
    }
}
