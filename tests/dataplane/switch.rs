//! The node's switch: OVS with its DPDK datapath, started without a service manager.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

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
pub(crate) const LISTENING_SOCKETS: &str = "/run/openvswitch/sockets";

/// What OVS may take of the hugepages. Without a limit it takes them all, and none are left for guests.
const MEMORY_MIB: u32 = 768;

/// ovsdb-server and ovs-vswitchd.
pub(crate) struct Switch {
    vswitchd: Option<Process>,
    _database: Process,
}

impl Switch {
    pub(crate) fn start() -> Result<Self> {
        fs::create_dir_all(LISTENING_SOCKETS)?;
        fs::create_dir_all(HUGEPAGES)?;
        run(seconds(10), &["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", HUGEPAGES])?;
        run(seconds(10), &["ovsdb-tool", "create", DATABASE, SCHEMA])?;
        let database = start_database()?;
        configure()?;
        let mut switch = Self { vswitchd: None, _database: database };
        switch.start_vswitchd()?;
        ensure!(
            vsctl(&["get", "Open_vSwitch", ".", "dpdk_initialized"])?.trim() == "true",
            "DPDK is not initialised"
        );
        Ok(switch)
    }

    pub(crate) fn start_vswitchd(&mut self) -> Result<()> {
        // Group 107 and umask 002: what is done on real nodes so that QEMU may connect to a socket that OVS listens on.
        let mut command = Command::new("setpriv");
        command.args([
            "--regid",
            "107",
            "--keep-groups",
            "sh",
            "-c",
            "umask 002; exec \"$@\"",
            "sh",
            VSWITCHD,
        ]);
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
    pub(crate) fn stop_vswitchd(&mut self) -> Result<()> {
        if let Some(mut vswitchd) = self.vswitchd.take() {
            vswitchd.signal(Signal::TERM);
            vswitchd.exit_status(seconds(20))?;
        }
        Ok(())
    }

    pub(crate) fn kill_vswitchd(&mut self) -> Result<()> {
        self.vswitchd.take().map_or(Ok(()), |mut vswitchd| vswitchd.kill())
    }

    pub(crate) fn add_bridge(&self, bridge: &str, peer: &Peer) -> Result<()> {
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
}

/// A vhost-user port; it goes with this value.
pub(crate) struct Port {
    name: String,
}

impl Port {
    /// OVS connects to the socket that QEMU listens on.
    pub(crate) fn connecting(bridge: &str, name: &str, socket: &Path, mtu: Option<u16>) -> Result<Self> {
        let path = format!("options:vhost-server-path={}", socket.display());
        Self::add(bridge, name, &["type=dpdkvhostuserclient", &path], mtu)
    }

    /// OVS listens on [`LISTENING_SOCKETS`]`/name`, and QEMU connects.
    pub(crate) fn listening(bridge: &str, name: &str) -> Result<Self> {
        Self::add(bridge, name, &["type=dpdkvhostuser"], None)
    }

    fn add(bridge: &str, name: &str, settings: &[&str], mtu: Option<u16>) -> Result<Self> {
        let mtu = mtu.map(|mtu| format!("mtu_request={mtu}"));
        let mut command = vec!["add-port", bridge, name, "--", "set", "Interface", name];
        command.extend(settings);
        command.extend(mtu.as_deref());
        vsctl(&command)?;
        let port = Self { name: name.to_owned() };
        // The database's own status says "connected" also of a port that never made it into the datapath.
        let datapath = appctl(&["dpif/show"])?;
        ensure!(datapath.contains(&format!(" {name} ")), "the datapath has no port {name}:\n{datapath}");
        Ok(port)
    }

    /// Receive queues that OVS polls because the guest has enabled them.
    pub(crate) fn enabled_queues(&self) -> Result<usize> {
        let queues = appctl(&["dpif-netdev/pmd-rxq-show"])?;
        Ok(queues.lines().filter(|line| line.contains(&self.name) && line.contains("(enabled)")).count())
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let _ = vsctl(&["--if-exists", "del-port", &self.name]);
    }
}

/// MAC addresses that a bridge has learned.
pub(crate) fn learned(bridge: &str) -> Result<String> {
    appctl(&["fdb/show", bridge])
}

pub(crate) fn version() -> Result<String> {
    let (ovs, dpdk) = (appctl(&["version"])?, vsctl(&["get", "Open_vSwitch", ".", "dpdk_version"])?);
    Ok(format!("{}, {}", ovs.lines().next().unwrap_or_default(), dpdk.trim()))
}

fn vsctl(arguments: &[&str]) -> Result<String> {
    run(seconds(30), &[&["ovs-vsctl"], arguments].concat())
}

fn appctl(arguments: &[&str]) -> Result<String> {
    run(seconds(10), &[&["ovs-appctl", "-t", CONTROL], arguments].concat())
}

fn start_database() -> Result<Process> {
    let mut command = Command::new("ovsdb-server");
    command
        .arg(DATABASE)
        .arg(format!("--remote=punix:{RUN}/db.sock"))
        .arg(format!("--unixctl={RUN}/ovsdb-server.ctl"));
    command.arg(format!("--log-file={}", log("ovsdb-server.log").display())).arg("-vconsole:off");
    let database = Process::daemon("ovsdb-server", &mut command, &log("ovsdb-server.stderr"))?;
    until("ovsdb-server to answer", seconds(10), || {
        run(seconds(2), &["ovs-vsctl", "--no-wait", "--timeout=1", "init"]).is_ok()
    })?;
    Ok(database)
}

fn configure() -> Result<()> {
    let cpus = std::thread::available_parallelism().context("number of CPUs")?.get();
    let mask = format!("other_config:pmd-cpu-mask={:#x}", 1_u64 << (cpus - 1).min(63));
    let limit = format!("other_config:dpdk-socket-limit={MEMORY_MIB}");
    let extra = format!("other_config:dpdk-extra=--huge-dir {HUGEPAGES}");
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

pub(crate) fn vswitchd_log() -> PathBuf {
    log("ovs-vswitchd.log")
}
