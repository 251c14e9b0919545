//! The other end of the wire: an endpoint on an OVS bridge, in a network namespace of its own.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::run;
use crate::wait::{seconds, until};

/// Runs `work` in a thread that has entered a network namespace. A socket that it makes stays in there for good.
pub fn inside<T: Send>(namespace: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let thread = || {
        let file = File::open(namespace).with_context(|| namespace.display().to_string())?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    };
    thread::scope(|scope| scope.spawn(thread).join()).map_err(|_| anyhow!("the thread panicked"))?
}

/// A veth pair: one end in a namespace, the other for OVS.
pub struct Peer {
    /// Name of the namespace and of the interface in it.
    name: String,
    pub address: Ipv4Addr,
}

impl Peer {
    pub fn new(name: &str, address: Ipv4Addr) -> Result<Self> {
        let peer = Self { name: name.to_owned(), address };
        let port = peer.port();
        let ip = |arguments: &str| run(seconds(60), &arguments.split(' ').collect::<Vec<_>>());
        ip(&format!("ip netns add {name}"))?;
        // Jumbo frames for everyone: what limits a guest is then its own NIC or its port, not the far end.
        ip(&format!("ip link add {port} mtu 9000 type veth peer name {name} netns {name} mtu 9000"))?;
        // OVS's datapath takes the checksums of these packets as they are, so they must be real.
        ip(&format!("ethtool -K {port} tx off"))?;
        ip(&format!("ip netns exec {name} ethtool -K {name} tx off"))?;
        ip(&format!("ip link set {port} up"))?;
        ip(&format!("ip -n {name} addr add {address}/24 dev {name}"))?;
        ip(&format!("ip -n {name} link set {name} up"))?;
        Ok(peer)
    }

    /// The interface that is a port of the bridge.
    pub fn port(&self) -> String {
        format!("{}-ovs", self.name)
    }

    pub fn namespace(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// Waits until `to` answers three requests in a row. A guest says that it is ready before the switch and
    /// its own NIC are: the first packets may be lost.
    pub fn await_ping(&self, to: Ipv4Addr, payload: u16) -> Result<()> {
        let mut last = None;
        let answered = until(&format!("{to} to answer"), seconds(60), || {
            last = self.ping(to, payload).err();
            last.is_none()
        });
        answered.map_err(|error| last.take().map_or(error, |last| last.context("no connection in time")))
    }

    /// Three echo requests of `payload` bytes that may not be fragmented. An error unless all are answered.
    pub fn ping(&self, to: Ipv4Addr, payload: u16) -> Result<()> {
        let (to, payload) = (to.to_string(), payload.to_string());
        let ping = [
            "ip", "netns", "exec", &self.name, "ping", "-n", "-q", "-c3", "-i0.2", "-W2", "-Mdo", "-s",
            &payload, &to,
        ];
        let said = run(seconds(60), &ping)?;
        anyhow::ensure!(said.contains(" 3 received"), "packets lost: {said}");
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = run(seconds(60), &["ip", "netns", "del", &self.name]);
    }
}
