//! What is wrong with a switch.

use std::fmt;

use super::snapshot::{Datapath, InspectedSwitch, Listening, Snapshot};
use crate::{
    config::Switch,
    switch::database::{Database, InterfaceRow},
};
use findings::{Finding, Id};
use ovs::{Obstacle, control, judge::judge_bridge};
use vocabulary::{HostDir, Quoted, SOCKET_PATH_MAX};

pub(super) fn check(node: &Snapshot, findings: &mut Vec<Finding>) {
    for (ovsdb, switch) in &node.switches {
        let named = Named::of(node, ovsdb);
        process(&named, &switch.datapath, findings);
        match &switch.database {
            Err(error) => findings.push(Finding::new(
                Id::OvsdbSilent,
                named.place(format_args!("ovsdb = {ovsdb}")),
                format_args!("OVS's database cannot be asked: {error}"),
                format_args!("systemctl start openvswitch-switch, or correct 'ovsdb'; ls -l {ovsdb}"),
            )),
            Ok(database) => {
                dpdk(&named, database, findings);
                for switch in &named.switches {
                    if let Some(name) = node.scope.bridge(switch) {
                        bridge(&switch.name, name, database, findings);
                    }
                }
                // Without DPDK each of them has an error, and nothing is wrong with it.
                let interfaces = database.interfaces.iter().filter(|_| database.state.dpdk_initialized);
                let interfaces =
                    interfaces.filter(|each| is_of_dpdk(each) && !meets_a_stale_socket(node, each));
                interfaces.for_each(|each| interface(&named, switch, each, findings));
            }
        }
    }
}

pub(super) fn facts(node: &Snapshot) -> impl Iterator<Item = String> {
    node.switches.iter().filter_map(|(ovsdb, switch)| {
        let database = switch.database.as_ref().ok()?;
        let version =
            |version: &Option<String>| version.clone().unwrap_or_else(|| "of unknown version".to_owned());
        let (ovs, dpdk) = (version(&database.state.ovs_version), version(&database.state.dpdk_version));
        let ports = database.interfaces.iter().filter(|interface| interface.mode().is_some()).count();
        let names: Vec<_> = Named::of(node, ovsdb).switches.iter().map(|each| each.name.as_str()).collect();
        let names = names.join(", ");
        Some(format!("switch {names} at {ovsdb}: OVS {ovs}, {dpdk}, {ports} vhost-user ports"))
    })
}

/// One OVS, by the configuration's names for its bridges.
struct Named<'n> {
    switches: Vec<&'n Switch>,
}

impl<'n> Named<'n> {
    fn of(node: &'n Snapshot, ovsdb: &HostDir) -> Self {
        Self { switches: node.scope.switches.iter().filter(|each| each.ovsdb == *ovsdb).collect() }
    }

    fn place(&self, what: impl fmt::Display) -> String {
        let names: Vec<_> = self.switches.iter().map(|each| format!("'{}'", each.name)).collect();
        format!("switches {}, {what}", names.join(", "))
    }
}

fn is_of_dpdk(interface: &InterfaceRow) -> bool {
    interface.kind == "dpdk" || interface.mode().is_some()
}

/// Then its error is that socket's, which is told of its device.
fn meets_a_stale_socket(node: &Snapshot, interface: &InterfaceRow) -> bool {
    let mut devices = node.devices.iter().filter(|device| device.scope.id.port_name() == interface.name);
    devices
        .any(|device| device.switch_socket.as_ref().is_some_and(|socket| socket.listening == Listening::No))
}

fn process(named: &Named<'_>, datapath: &Datapath, findings: &mut Vec<Finding>) {
    let start = "systemctl restart openvswitch-switch, then see ovs-vswitchd.log";
    match datapath {
        Datapath::Unknown(dir) => findings.push(Finding::new(
            Id::VswitchdUnknown,
            named.place(dir.display()),
            "ovs-vswitchd has no control socket there: it does not run, or its run directory is another",
            start,
        )),
        Datapath::Silent(error) => findings.push(Finding::new(
            Id::VswitchdSilent,
            named.place("ovs-vswitchd's control socket"),
            format_args!("ovs-vswitchd does not answer: {error}"),
            start,
        )),
        Datapath::Shows(_) => {}
    }
}

fn dpdk(named: &Named<'_>, database: &Database, findings: &mut Vec<Finding>) {
    if !database.state.dpdk_initialized {
        findings.push(Finding::new(
            Id::DpdkOff,
            named.place("Open_vSwitch.dpdk_initialized = false"),
            "OVS runs without DPDK: no vhost-user port works",
            "ovs-vsctl set Open_vSwitch . other_config:dpdk-init=true && systemctl restart openvswitch-switch (the \
             binary must be built with DPDK; ovs-vswitchd.log says why it cannot start it)",
        ));
    }
}

fn bridge(switch: &str, bridge: &str, database: &Database, findings: &mut Vec<Finding>) {
    match judge_bridge(database.bridges.get(bridge).map(String::as_str)) {
        Some(Obstacle::NoBridge) => {
            findings.push(Finding::new(
                Id::BridgeMissing,
                format_args!("switches '{switch}', bridge = {bridge}"),
                "OVS has no such bridge: no port can be plugged",
                format_args!("ovs-vsctl add-br {bridge} -- set bridge {bridge} datapath_type=netdev"),
            ));
            return;
        }
        Some(Obstacle::NotUserspace(shown)) => findings.push(Finding::new(
            Id::BridgeNotUserspace,
            format_args!("Bridge {bridge}, datapath_type = {}", Quoted(&shown)),
            "the bridge is in the kernel's datapath: vhost-user ports exist in userspace only",
            format_args!("ovs-vsctl set bridge {bridge} datapath_type=netdev"),
        )),
        _ => {}
    }
    let uplink = |interface: &InterfaceRow| interface.kind == "dpdk" && interface.bridge == bridge;
    if !database.interfaces.iter().any(uplink) {
        findings.push(Finding::new(
            Id::BridgeNoUplink,
            format_args!("Bridge {bridge}, ports"),
            "the bridge has no port of type dpdk: VMs reach each other on this node, and nobody else",
            format_args!(
                "ovs-vsctl add-port {bridge} uplink -- set Interface uplink type=dpdk options:dpdk-devargs=<PCI address>"
            ),
        ));
    }
}

fn interface(
    named: &Named<'_>,
    switch: &InspectedSwitch,
    interface: &InterfaceRow,
    findings: &mut Vec<Finding>,
) {
    let InterfaceRow { name, bridge, error, .. } = interface;
    if let Some(path) = interface.path().filter(|path| path.len() > SOCKET_PATH_MAX) {
        findings.push(Finding::new(
            Id::PortPathTooLong,
            format_args!("Interface {name}, options:vhost-server-path = {}", Quoted(path)),
            format_args!(
                "the path has {} bytes, more than {SOCKET_PATH_MAX}: OVS silently truncates it, and connects to nothing",
                path.len()
            ),
            format_args!("ovs-vsctl set Interface {name} options:vhost-server-path=<a shorter path>"),
        ));
    }
    if let Some(error) = error {
        findings.push(Finding::new(
            Id::InterfaceError,
            format_args!("Interface {name}, error = {}", Quoted(error)),
            format_args!("OVS could not make this port of bridge {bridge}"),
            format_args!("correct what the error names, then ovs-vsctl del-port {name} and restart the pod"),
        ));
    } else if let Datapath::Shows(answer) = &switch.datapath
        && !control::has_port(answer, name)
    {
        findings.push(Finding::new(
            Id::PortNotInDatapath,
            named.place(format_args!("ovs-appctl dpif/show: no {name}")),
            format_args!(
                "port {name} of bridge {bridge} is in the database, without an error, and not in the datapath: no \
                 packet passes. Most often DPDK got no memory for it: too few free hugepages, or its mempool driver \
                 (librte-mempool-ring) is not installed"
            ),
            "grep -i mempool /var/log/openvswitch/ovs-vswitchd.log; apt-get install librte-mempool-ring*, or raise \
             nr_hugepages; systemctl restart openvswitch-switch",
        ));
    }
}
