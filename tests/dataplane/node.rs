//! What all cases share: one switch with two bridges, and an endpoint on each.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::logs;
use crate::network::Peer;
use crate::pod::Pod;
use crate::probe::Probe;
use crate::switch::Switch;
use crate::vm::Vm;

pub(crate) struct Node {
    /// On `br1`, 192.0.2.1.
    pub(crate) peer1: Peer,
    /// On `br2`, 198.51.100.1.
    pub(crate) peer2: Peer,
    // After the peers: their ports go before the switch does.
    pub(crate) switch: Switch,
}

impl Node {
    pub(crate) fn start() -> Result<Self> {
        let switch = Switch::start()?;
        let peer1 = Peer::new("peer1", Ipv4Addr::new(192, 0, 2, 1))?;
        let peer2 = Peer::new("peer2", Ipv4Addr::new(198, 51, 100, 1))?;
        switch.add_bridge("br1", &peer1)?;
        switch.add_bridge("br2", &peer2)?;
        Ok(Self { peer1, peer2, switch })
    }
}

/// The node as one test sees it, with a log folder of its own.
pub(crate) struct Stage<'a> {
    pub(crate) node: &'a mut Node,
    pub(crate) logs: PathBuf,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(node: &'a mut Node, test: &str) -> Result<Self> {
        let logs = logs::of_test(test);
        fs::create_dir_all(&logs)?;
        Ok(Self { node, logs })
    }

    pub(crate) fn pod(&self, name: &str, vm: &Vm) -> Result<Pod> {
        Pod::new(name, vm, &self.logs)
    }

    /// Probes the first NIC, which every VM but a silent one has on the first bridge.
    pub(crate) fn probe(&self, vm: &Vm) -> Result<Probe> {
        Probe::start(&self.node.peer1, vm.nics[0].address)
    }

    /// The guest's first NIC answers.
    pub(crate) fn ping(&self, vm: &Vm) -> Result<()> {
        self.node.peer1.ping(vm.nics[0].address, 56)
    }

    pub(crate) fn pod_without_ports(&self, name: &str, vm: &Vm) -> Result<Pod> {
        Pod::without_ports(name, vm, &self.logs)
    }
}

/// A line of a test's own report.
pub(crate) fn note(text: &str) {
    println!("    {text}");
}

pub(crate) fn ms(duration: Duration) -> u128 {
    duration.as_millis()
}
