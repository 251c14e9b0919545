//! What all cases share: one switch with two bridges, and an endpoint on each.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::agent::{Agent, CLIENT1, DEVICE_INFO, PORTS, SOCKET_ROOT, names};
use crate::framework::Framework;
use crate::logs;
use crate::multus::CNI_DEVICE_INFO;
use crate::network::Peer;
use crate::pod::Pod;
use crate::probe::Probe;
use crate::switch::Switch;
use crate::vm::Vm;

pub struct Node {
    /// On `br1`, 192.0.2.1.
    pub peer1: Peer,
    /// On `br2`, 198.51.100.1.
    pub peer2: Peer,
    // After the peers: their ports go before the switch does.
    pub switch: Switch,
    pub agent: Rc<Agent>,
}

impl Node {
    pub fn start() -> Result<Self> {
        let agent = Agent::start()?;
        let switch = Switch::start(&agent)?;
        let peer1 = Peer::new("peer1", Ipv4Addr::new(192, 0, 2, 1))?;
        let peer2 = Peer::new("peer2", Ipv4Addr::new(198, 51, 100, 1))?;
        switch.add_bridge("br1", &peer1)?;
        switch.add_bridge("br2", &peer2)?;
        Ok(Self { peer1, peer2, switch, agent })
    }

    /// What is left on the node when every pod is gone and the device plugin has been asked to end.
    pub fn end(self) -> Result<()> {
        let ports = self.switch.ports()?;
        ensure!(ports == [self.peer1.port(), self.peer2.port()], "ports left in the switch: {ports:?}");
        let files = names(Path::new(CNI_DEVICE_INFO))?;
        ensure!(files.is_empty(), "device-info left by the CNI plugin: {files:?}");
        self.agent.stop_plugin()?;
        let files = names(Path::new(DEVICE_INFO))?;
        ensure!(files.is_empty(), "device-info left by the device plugin: {files:?}");
        let sockets = self.agent.plugin_sockets()?;
        ensure!(sockets.is_empty(), "sockets left by the device plugin: {sockets:?}");
        // However often it was started.
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        let below = points.filter(|point| Path::new(point).starts_with(SOCKET_ROOT)).count();
        let guests_listen = PORTS.iter().filter(|(name, _)| *name != CLIENT1).map(|(_, ports)| ports);
        let expected = 1 + guests_listen.sum::<usize>();
        ensure!(below == expected, "{below} mounts at {SOCKET_ROOT}, should be {expected}:\n{mounts}");
        Ok(())
    }
}

/// The node as one test sees it, with a log folder of its own.
pub struct Stage<'a> {
    pub node: &'a mut Node,
    pub logs: PathBuf,
}

impl<'a> Stage<'a> {
    pub fn new(node: &'a mut Node, test: &str) -> Result<Self> {
        let logs = logs::of_test(test);
        fs::create_dir_all(&logs)?;
        node.agent.restore_plugin()?;
        node.switch.restore()?;
        Ok(Self { node, logs })
    }

    pub fn pod(&self, name: &str, vm: &Vm) -> Result<Pod> {
        self.pod_in(name, vm, Framework::Off)
    }

    pub fn pod_in(&self, name: &str, vm: &Vm, framework: Framework) -> Result<Pod> {
        Pod::new(name, vm, framework, &self.node.agent, &self.logs)
    }

    /// Probes the first NIC, which every VM but a silent one has on the first bridge.
    pub fn probe(&self, vm: &Vm) -> Result<Probe> {
        Probe::start(&self.node.peer1, vm.nics[0].address)
    }

    /// The guest's first NIC answers, or begins to.
    pub fn await_ping(&self, vm: &Vm) -> Result<()> {
        self.node.peer1.await_ping(vm.nics[0].address, 56)
    }

    /// The guest's first NIC answers at once.
    pub fn ping(&self, vm: &Vm) -> Result<()> {
        self.node.peer1.ping(vm.nics[0].address, 56)
    }

    pub fn pod_without_ports(&self, name: &str, vm: &Vm) -> Result<Pod> {
        Pod::without_ports(name, vm, &self.node.agent, &self.logs)
    }
}

/// A line of a test's own report.
pub fn note(text: &str) {
    println!("    {text}");
}

pub fn ms(duration: Duration) -> u128 {
    duration.as_millis()
}
