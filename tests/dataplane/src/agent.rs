//! What gives pods their devices: the node's kubelet, a stand-in that speaks the real API, and the real device plugin.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::Signal;
use tokio::runtime::Runtime;

use crate::logs::LOGS;
use crate::process::Process;
use crate::wait::{seconds, until};
use kubelet_sim::{Allocation, Device, Kubelet, PLUGIN_POD};

const KUBELET: &str = "/var/lib/kubelet";

/// Where the device plugin leaves its files for Multus.
pub const DEVICE_INFO: &str = "/var/run/k8s.cni.cncf.io/devinfo/dp";

/// The device plugin's and everybody's default.
pub const SOCKET_ROOT: &str = "/run/vhostuser";

/// Few devices, so that each is used many times: what a pod before has left is then found.
pub const PORTS: [(&str, usize); 3] = [(SERVER1, 4), (SERVER2, 2), (CLIENT1, 2)];

/// On the first bridge, the guest listens.
pub const SERVER1: &str = "vhostuser.network/br1";
/// On the second bridge, the guest listens.
pub const SERVER2: &str = "vhostuser.network/br2";
/// On the first bridge, the switch listens.
pub const CLIENT1: &str = "vhostuser.network/br1-listening";

/// What the switch's own pod asks for.
const DATAPLANE: &str = "vhostuser.network/dataplane";

/// Where the device plugin tells its metrics.
pub const METRICS: &str = "127.0.0.1:9310";

const CONFIG: &str = "\
domain: vhostuser.network
switches:
  - {name: ovs-br1, bridge: br1, sockets: /run/openvswitch/sockets}
  - {name: ovs-br2, bridge: br2}
resources:
  - {name: br1, ports: 4, mode: server, switch: ovs-br1}
  - {name: br2, ports: 2, mode: server, switch: ovs-br2}
  - {name: br1-listening, ports: 2, mode: client, switch: ovs-br1}
dataplane: {name: dataplane}
";

pub struct Agent {
    runtime: Runtime,
    kubelet: Kubelet,
    plugin: RefCell<Option<Process>>,
}

impl Agent {
    /// Before the switch: directories and mounts must be there when it starts.
    pub fn start() -> Result<Rc<Self>> {
        fs::write("/etc/vhostuser/device-plugin.yaml", CONFIG)?;
        // It serves from a thread, while the tests wait for other things.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let kubelet = runtime.block_on(Kubelet::start(Path::new(KUBELET)));
        let agent = Self { runtime, kubelet, plugin: RefCell::default() };
        agent.start_plugin()?;
        Ok(Rc::new(agent))
    }

    /// Starts the device plugin in a mount namespace of its own, whose mounts are seen outside as those of a container
    /// with "Bidirectional" are, until it has registered everything.
    pub fn start_plugin(&self) -> Result<()> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "unchanged", "/opt/vhostuser-device-plugin"]);
        command.args(["--listen", METRICS, "--pod-namespace=default", "--pod-name", PLUGIN_POD]);
        *self.plugin.borrow_mut() = Some(Process::daemon("the device plugin", &mut command, &log())?);
        let all = |(resource, ports): &(&str, usize)| self.kubelet.devices(resource).len() == *ports;
        let registered = || PORTS.iter().all(all) && self.kubelet.devices(DATAPLANE).len() == 1;
        until("the device plugin to register", seconds(60), registered)
    }

    /// After a case that has failed without it.
    pub fn restore_plugin(&self) -> Result<()> {
        if self.plugin.borrow().is_none() { self.start_plugin() } else { Ok(()) }
    }

    /// SIGTERM: it must end with success.
    pub fn stop_plugin(&self) -> Result<()> {
        let mut plugin = self.plugin.take().context("the device plugin runs")?;
        plugin.signal(Signal::TERM);
        let status = plugin.exit_status(seconds(60))?;
        ensure!(status.success(), "the device plugin ended with {status}");
        Ok(())
    }

    /// SIGKILL: it can clean nothing up.
    pub fn kill_plugin(&self) -> Result<()> {
        self.plugin.take().context("the device plugin runs")?.kill()?;
        until("the kubelet to notice", seconds(60), || !self.kubelet.listens(SERVER1))
    }

    /// The devices of a resource as the kubelet was last told.
    pub fn devices(&self, resource: &str) -> Vec<Device> {
        self.kubelet.devices(resource)
    }

    /// The ids of those that are healthy.
    pub fn healthy(&self, resource: &str) -> BTreeSet<String> {
        self.kubelet.healthy(resource)
    }

    /// What plugins have in the kubelet's directory.
    pub fn plugin_sockets(&self) -> Result<BTreeSet<String>> {
        let mut names = names(&self.kubelet.plugin_dir())?;
        names.retain(|name| !name.starts_with("kubelet"));
        Ok(names)
    }

    fn allocate(&self, pod: &str, resource: &str, count: usize) -> Result<Allocation> {
        // Until the switch is ready the scheduler finds no node for the pod.
        until("a healthy device", seconds(60), || !self.healthy(resource).is_empty())?;
        let given = self.runtime.block_on(self.kubelet.allocate(pod, resource, count));
        given.map_err(|event| anyhow!("the kubelet refuses pod {pod}: {event}"))
    }
}

/// What one pod was given; dropping it tells the kubelet that the pod is gone.
pub struct Grants {
    agent: Rc<Agent>,
    pod: String,
    pub allocations: Vec<Allocation>,
}

impl Grants {
    /// Admits a pod that asks for so many devices of each resource.
    pub fn admit(agent: &Rc<Agent>, pod: &str, asked: &[(String, usize)]) -> Result<Self> {
        let mut grants = Self { agent: Rc::clone(agent), pod: pod.to_owned(), allocations: Vec::new() };
        for (resource, count) in asked {
            grants.allocations.push(agent.allocate(pod, resource, *count)?);
        }
        Ok(grants)
    }

    /// The switch's pod, which gets every device's directory at once.
    pub fn admit_switch(agent: &Rc<Agent>) -> Result<Self> {
        Self::admit(agent, "switch", &[(DATAPLANE.to_owned(), 1)])
    }

    /// For `mounts.sh`.
    pub fn mounts(&self) -> Vec<String> {
        let mounts = self.allocations.iter().flat_map(|given| &given.mounts);
        let rights = |read_only| if read_only { "ro" } else { "rw" };
        mounts.map(|m| format!("{}:{}:{}", rights(m.read_only), m.host, m.container)).collect()
    }

    /// What the containers find in their environment.
    pub fn variables(&self) -> Vec<String> {
        let all = self.allocations.iter().flat_map(|given| &given.envs);
        all.map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// The directory on the host that is mounted there in the pod.
    pub fn host_dir(&self, container: &Path) -> Result<PathBuf> {
        let mut mounts = self.allocations.iter().flat_map(|given| &given.mounts);
        let mount = mounts.find(|mount| Path::new(&mount.container) == container);
        Ok(mount
            .with_context(|| format!("nothing is mounted at {}", container.display()))?
            .host
            .clone()
            .into())
    }
}

impl Drop for Grants {
    fn drop(&mut self) {
        if !self.allocations.is_empty() {
            self.agent.kubelet.release(&self.pod);
        }
    }
}

pub fn names(dir: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(dir).with_context(|| dir.display().to_string())?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

pub fn log() -> PathBuf {
    Path::new(LOGS).join("device-plugin.log")
}
