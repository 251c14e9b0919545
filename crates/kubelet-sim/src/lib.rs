//! A stand-in for the kubelet's device manager, over the real API and real sockets.
//!
//! It repeats what the kubelet does to a device plugin: remove every socket when it starts, take registrations, dial
//! the plugin, ask for its options, open `ListAndWatch`, choose devices, allocate them, and report by PodResources who
//! has them.
//!
//! ```text
//! api       what the kubelet serves                 pkg/kubelet/cm/devicemanager/plugin/v1beta1/server.go
//! plugin    what it does to a plugin                …/plugin/v1beta1/{handler,client}.go
//! state     what it knows of devices and pods       pkg/kubelet/cm/devicemanager/{manager,pod_devices}.go
//! ```
#![allow(dead_code, unused_imports, unreachable_pub)]
// A test helper that cannot go on has found its caller's mistake: panicking is how it says so.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod api;
mod plugin;
mod proto;
mod state;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::task::JoinSet;

pub use api::PLUGIN_POD;
pub use plugin::{Client, dial};
/// The messages of the device plugin API, for a call that no kubelet would make.
pub use proto::plugin::{self as messages, DevicePluginOptions};
use state::State;
pub use state::{Allocation, Device, Mount, Registration};

/// Where it keeps who has what, in the same directory as the sockets.
const CHECKPOINT: &str = "kubelet_internal_checkpoint";

/// A kubelet and its directories.
pub struct Kubelet {
    root: PathBuf,
    life: Option<Life>,
}

/// What ends with its process.
struct Life {
    state: Shared,
    servers: JoinSet<()>,
}

/// What all of one life see.
type Shared = Arc<Mutex<State>>;

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().expect("nobody panics while holding the lock")
}

impl Kubelet {
    /// Starts one in `root`, which stands for `/var/lib/kubelet`.
    pub async fn start(root: &Path) -> Self {
        let mut kubelet = Self::stopped(root);
        kubelet.begin().await;
        kubelet
    }

    /// One that has not been started yet: only its directories are there.
    pub fn stopped(root: &Path) -> Self {
        let kubelet = Self { root: root.to_owned(), life: None };
        for dir in [kubelet.plugin_dir(), kubelet.pod_resources_dir()] {
            fs::create_dir_all(dir).unwrap();
        }
        kubelet
    }

    /// The directory of device plugins.
    pub fn plugin_dir(&self) -> PathBuf {
        self.root.join("device-plugins")
    }

    /// The socket for registrations.
    pub fn socket(&self) -> PathBuf {
        self.plugin_dir().join("kubelet.sock")
    }

    /// The socket of the PodResources API.
    pub fn pod_resources(&self) -> PathBuf {
        self.pod_resources_dir().join("kubelet.sock")
    }

    fn pod_resources_dir(&self) -> PathBuf {
        self.root.join("pod-resources")
    }

    fn checkpoint(&self) -> PathBuf {
        self.plugin_dir().join(CHECKPOINT)
    }

    /// Starts it. Everything in the directory but subdirectories and its own checkpoint goes.
    pub async fn begin(&mut self) {
        assert!(self.life.is_none(), "it runs already");
        fs::create_dir_all(self.plugin_dir()).unwrap();
        for entry in fs::read_dir(self.plugin_dir()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != CHECKPOINT && !entry.file_type().unwrap().is_dir() {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let state = Arc::new(Mutex::new(State::read(&self.checkpoint())));
        let mut servers = JoinSet::new();
        servers.spawn(api::serve_registration(&self.plugin_dir(), &self.socket(), Arc::clone(&state)));
        servers.spawn(api::serve_pod_resources(&self.pod_resources(), Arc::clone(&state)));
        self.life = Some(Life { state, servers });
    }

    /// Ends as on SIGTERM: plugins are let go of, its own sockets are removed.
    pub async fn stop(&mut self) {
        self.kill().await;
        for socket in [self.socket(), self.pod_resources()] {
            fs::remove_file(socket).unwrap();
        }
    }

    /// Ends as on SIGKILL: the kernel closes what was open, and the sockets stay where they are.
    pub async fn kill(&mut self) {
        let mut life = self.life.take().expect("it runs");
        lock(&life.state).let_go();
        life.servers.shutdown().await;
    }

    /// Another process in its place, which knows of the pods and of no plugin.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.begin().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.life.as_ref().expect("it runs").state)
    }

    /// Lets go of every plugin while running on.
    pub fn forget(&self) {
        self.state().let_go();
    }

    /// Answers the next registrations with an error.
    pub fn refuse(&self, times: usize) {
        self.state().refuse = times;
    }

    /// Takes registrations, but does not listen to the plugin.
    pub fn be_deaf(&self, deaf: bool) {
        self.state().deaf = deaf;
    }

    /// Has not heard of its pods: lists none, as a kubelet that has just started while the API server is away.
    pub fn be_ignorant(&self, ignorant: bool) {
        self.state().ignorant = ignorant;
    }

    /// All registrations since it was started, the refused ones included.
    pub fn registrations(&self) -> Vec<Registration> {
        self.state().registrations.clone()
    }

    /// How often a plugin registered whose stream was open: the kubelet's releases differ in what they then do, and
    /// some end the wrong stream.
    pub fn duplicates(&self) -> usize {
        self.state().duplicates
    }

    /// Whether it listens to this resource's plugin.
    pub fn listens(&self, resource: &str) -> bool {
        self.state().plugins.get(resource).is_some_and(|plugin| plugin.listens)
    }

    /// The devices as they were last told, by id; none if it does not listen.
    pub fn devices(&self, resource: &str) -> Vec<Device> {
        let state = self.state();
        let plugin = state.plugins.get(resource).filter(|plugin| plugin.listens);
        plugin.map(|plugin| plugin.devices.values().cloned().collect()).unwrap_or_default()
    }

    /// The ids of those that are healthy.
    pub fn healthy(&self, resource: &str) -> BTreeSet<String> {
        self.devices(resource).into_iter().filter(|device| device.healthy).map(|device| device.id).collect()
    }

    /// How many lists a plugin has sent.
    pub fn lists(&self, resource: &str) -> usize {
        self.state().plugins.get(resource).map_or(0, |plugin| plugin.lists)
    }

    /// Gives devices to a pod's container, and writes that down. The error is what the pod's event would say.
    pub async fn allocate(&self, pod: &str, resource: &str, count: usize) -> Result<Allocation, String> {
        let (needed, mut client) = lock_client(self.state(), resource)?;
        let allocation = plugin::allocate(&mut client, needed, resource, count).await?;
        let mut state = self.state();
        state.pods.entry(pod.to_owned()).or_default().push(allocation.clone());
        state.write(&self.checkpoint());
        Ok(allocation)
    }

    /// The plugin of a resource, for calls of one's own.
    pub fn client(&self, resource: &str) -> Client {
        self.state().plugins.get(resource).expect("it is registered").client.clone()
    }

    /// What a pod has.
    pub fn pod(&self, pod: &str) -> Vec<Allocation> {
        self.state().pods.get(pod).cloned().unwrap_or_default()
    }

    /// So many pods have devices of which no plugin knows.
    pub fn pretend(&self, pods: usize, given: impl Fn(usize) -> (String, BTreeSet<String>)) {
        let mut state = self.state();
        for pod in 0..pods {
            let (resource, ids) = given(pod);
            let given = Allocation { resource, ids, mounts: Vec::new(), envs: BTreeMap::new() };
            state.pods.entry(format!("pretended-{pod}")).or_default().push(given);
        }
    }

    /// The pod is gone.
    pub fn release(&self, pod: &str) {
        let mut state = self.state();
        assert!(state.pods.remove(pod).is_some(), "there is no pod {pod}");
        state.write(&self.checkpoint());
    }
}

/// The devices that may be chosen from, and whom to ask.
fn lock_client(
    state: MutexGuard<'_, State>,
    resource: &str,
) -> Result<(plugin::Choice, plugin::Client), String> {
    let plugin =
        state.plugins.get(resource).ok_or(format!("cannot allocate unregistered device {resource}"))?;
    let healthy: BTreeSet<String> =
        plugin.devices.values().filter(|device| device.healthy).map(|device| device.id.clone()).collect();
    if healthy.is_empty() {
        return Err(format!("no healthy devices present; cannot allocate unhealthy devices {resource}"));
    }
    let in_use = state.in_use(resource);
    let available = healthy.difference(&in_use).cloned().collect();
    let choice = plugin::Choice { available, ask: plugin.options.get_preferred_allocation_available };
    Ok((choice, plugin.client.clone()))
}
