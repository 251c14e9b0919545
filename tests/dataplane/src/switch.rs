//! The node's switch: OVS with its DPDK datapath, started without a service manager.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::agent::{Agent, Grants};
use crate::logs::LOGS;
use crate::network::Peer;
use crate::process::{Process, run};
use crate::wait::{seconds, until};

const RUN: &str = "/run/openvswitch";
const DATABASE: &str = "/run/openvswitch/conf.db";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
const VSWITCHD: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
const CONTROL: &str = "/run/openvswitch/ovs-vswitchd.ctl";
const HUGEPAGES: &str = "/run/huge";

/// Where OVS makes the sockets of ports that guests connect to (client mode).
pub const LISTENING_SOCKETS: &str = "/run/openvswitch/sockets";

/// What OVS may take of the hugepages. Without a limit it takes them all, and none are left for guests.
const MEMORY_MIB: u32 = 768;

/// ovsdb-server and ovs-vswitchd.
pub struct Switch {
    vswitchd: Option<Process>,
    database: Option<Process>,
    grants: Grants,
}

impl Switch {
    pub fn start(agent: &Rc<Agent>) -> Result<Self> {
        let grants = Grants::admit_switch(agent)?;
        fs::create_dir_all(LISTENING_SOCKETS)?;
        fs::create_dir_all(HUGEPAGES)?;
        run(seconds(60), &["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", HUGEPAGES])?;
        run(seconds(60), &["ovsdb-tool", "create", DATABASE, SCHEMA])?;
        let database = start_database()?;
        configure()?;
        let mut switch = Self { vswitchd: None, database: Some(database), grants };
        switch.start_vswitchd()?;
        ensure!(
            vsctl(&["get", "Open_vSwitch", ".", "dpdk_initialized"])?.trim() == "true",
            "DPDK is not initialised"
        );
        Ok(switch)
    }

    pub fn start_vswitchd(&mut self) -> Result<()> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation=private", "/opt/switch.sh"]);
        command.args(self.grants.mounts()).arg(VSWITCHD);
        command.arg(format!("unix:{RUN}/db.sock")).arg(format!("--unixctl={CONTROL}"));
        command
            .arg(format!("--log-file={}", vswitchd_log().display()))
            .args(["-vconsole:off", "-vfile:info"]);
        self.vswitchd = Some(Process::daemon("ovs-vswitchd", &mut command, &log("ovs-vswitchd.stderr"))?);
        until("ovs-vswitchd to answer", seconds(30), || appctl(&["version"]).is_ok())?;
        // ovs-vsctl returns when the switch has carried out the whole database, if it has changed something itself.
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        vsctl(&["set", "Open_vSwitch", ".", &format!("external-ids:started-at={now}")]).map(drop)
    }

    /// Stops it in order, as an upgrade does.
    pub fn stop_vswitchd(&mut self) -> Result<()> {
        if let Some(mut vswitchd) = self.vswitchd.take() {
            vswitchd.signal(Signal::TERM);
            vswitchd.exit_status(seconds(60))?;
        }
        Ok(())
    }

    /// All of it, as when its pod or its service is stopped.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_vswitchd()?;
        self.database = None;
        Ok(())
    }

    pub fn start_again(&mut self) -> Result<()> {
        self.database = Some(start_database()?);
        self.start_vswitchd()
    }

    /// After a case that has failed without it.
    pub fn restore(&mut self) -> Result<()> {
        match (&self.database, &self.vswitchd) {
            (None, _) => self.start_again(),
            (Some(_), None) => self.start_vswitchd(),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    pub fn signal_vswitchd(&self, signal: Signal) -> Result<()> {
        self.vswitchd.as_ref().context("ovs-vswitchd runs")?.signal(signal);
        Ok(())
    }

    pub fn kill_vswitchd(&mut self) -> Result<()> {
        self.vswitchd.take().map_or(Ok(()), |mut vswitchd| vswitchd.kill())
    }

    pub fn add_bridge(&self, bridge: &str, peer: &Peer) -> Result<()> {
        vsctl(&[
            "add-br",
            bridge,
            "--",
            "set",
            "bridge",
            bridge,
            "datapath_type=netdev",
            "fail-mode=standalone",
        ])?;
        vsctl(&["add-port", bridge, &peer.port()]).map(drop)
    }

    /// The names of all ports but the bridges' own.
    pub fn ports(&self) -> Result<Vec<String>> {
        let mut ports = Vec::new();
        for bridge in vsctl(&["list-br"])?.lines() {
            ports.extend(vsctl(&["list-ports", bridge])?.lines().map(str::to_owned));
        }
        Ok(ports)
    }
}

/// A port, whoever has made it.
pub struct Port {
    name: String,
}

impl Port {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    pub fn in_datapath(&self) -> Result<bool> {
        Ok(appctl(&["dpif/show"])?.contains(&format!(" {} ", self.name)))
    }

    /// Takes it away behind everybody's back.
    pub fn delete(&self) -> Result<()> {
        vsctl(&["del-port", &self.name]).map(drop)
    }

    /// A key of the interface's status, if OVS reports it.
    fn status(&self, key: &str) -> Result<String> {
        let value = vsctl(&["--if-exists", "get", "Interface", &self.name, &format!("status:{key}")])?;
        Ok(value.trim().trim_matches('"').to_owned())
    }

    /// MAC addresses that the bridge has learned on this port.
    pub fn learned(&self, bridge: &str) -> Result<Vec<String>> {
        let number = vsctl(&["get", "Interface", &self.name, "ofport"])?;
        let table = learned(bridge)?;
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let of_port = columns.filter(|columns| columns.first() == Some(&number.trim()));
        Ok(of_port.filter_map(|columns| columns.get(2).map(|mac| (*mac).to_owned())).collect())
    }

    /// Receive queues that OVS polls because the guest has enabled them.
    pub fn enabled_queues(&self) -> Result<usize> {
        let queues = appctl(&["dpif-netdev/pmd-rxq-show"])?;
        Ok(queues.lines().filter(|line| line.contains(&self.name) && line.contains("(enabled)")).count())
    }
}

/// An uplink of DPDK's that needs no hardware and receives nothing; it goes with this value.
pub struct Uplink(Port);

impl Uplink {
    pub fn new(bridge: &str) -> Result<Self> {
        let uplink = Self(Port::new("uplink"));
        let device = "options:dpdk-devargs=\"net_null0,no-rx=1\"";
        vsctl(&["add-port", bridge, "uplink", "--", "set", "Interface", "uplink", "type=dpdk", device])?;
        ensure!(uplink.0.in_datapath()?, "the datapath has no uplink");
        Ok(uplink)
    }

    /// As OVS reports it.
    pub fn numa_node(&self) -> Result<i64> {
        let node = self.0.status("numa_id")?;
        node.parse().with_context(|| format!("the NUMA node that OVS reports of the uplink: {node:?}"))
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        let _ = self.0.delete();
    }
}

/// MAC addresses that a bridge has learned.
pub fn learned(bridge: &str) -> Result<String> {
    appctl(&["fdb/show", bridge])
}

pub fn version() -> Result<String> {
    let (ovs, dpdk) = (appctl(&["version"])?, vsctl(&["get", "Open_vSwitch", ".", "dpdk_version"])?);
    Ok(format!("{}, {}", ovs.lines().next().unwrap_or_default(), dpdk.trim()))
}

fn vsctl(arguments: &[&str]) -> Result<String> {
    run(seconds(30), &[&["ovs-vsctl"], arguments].concat())
}

fn appctl(arguments: &[&str]) -> Result<String> {
    run(seconds(60), &[&["ovs-appctl", "-t", CONTROL], arguments].concat())
}

fn start_database() -> Result<Process> {
    let mut command = Command::new("ovsdb-server");
    command
        .arg(DATABASE)
        .arg(format!("--remote=punix:{RUN}/db.sock"))
        .arg(format!("--unixctl={RUN}/ovsdb-server.ctl"));
    command.arg(format!("--log-file={}", log("ovsdb-server.log").display())).arg("-vconsole:off");
    let database = Process::daemon("ovsdb-server", &mut command, &log("ovsdb-server.stderr"))?;
    until("ovsdb-server to answer", seconds(60), || {
        run(seconds(2), &["ovs-vsctl", "--no-wait", "--timeout=1", "init"]).is_ok()
    })?;
    Ok(database)
}

fn configure() -> Result<()> {
    let cpus = std::thread::available_parallelism().context("number of CPUs")?.get();
    let mask = format!("other_config:pmd-cpu-mask={:#x}", 1_u64 << (cpus - 1).min(63));
    let limit = format!("other_config:dpdk-socket-limit={MEMORY_MIB}");
    // The machine's own NICs are none of its business.
    let extra = format!("other_config:dpdk-extra=--no-pci --huge-dir {HUGEPAGES}");
    let settings = [
        "other_config:dpdk-init=true",
        "other_config:dpdk-socket-mem=256",
        &limit,
        &extra,
        &mask,
        "other_config:vhost-sock-dir=sockets",
        // The polling thread sleeps when there is nothing to do: a small machine has no core to give away. The first
        // name is that of OVS 3.1, the second of 3.2 and later.
        "other_config:pmd-maxsleep=200",
        "other_config:pmd-sleep-max=200",
    ];
    vsctl(&[&["--no-wait", "set", "Open_vSwitch", "."], &settings[..]].concat()).map(drop)
}

fn log(name: &str) -> PathBuf {
    Path::new(LOGS).join(name)
}

pub fn vswitchd_log() -> PathBuf {
    log("ovs-vswitchd.log")
}
