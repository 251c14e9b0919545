//! What is wrong with the switch.

use std::fs;

use crate::doctor::{check::check, gather::gather, scope::Scope};
use vocabulary::{ComputePath, SocketMode};

use expect_test::expect;

use super::{
    broken, findings_of,
    fixture::{Node, port_of},
};

#[test]
fn a_database_that_cannot_be_asked() {
    broken(
        |node| node.ovsdb = false,
        expect![[r#"
        ovsdb-silent: OVS's database cannot be asked: socket T/run/db.sock does not exist: check that its server runs and that this is its path
          where: switches 'ovs', ovsdb = T/run/db.sock
          fix:   systemctl start openvswitch-switch, or correct 'ovsdb'; ls -l T/run/db.sock"#]],
    );
}

#[test]
fn dpdk_and_the_bridge() {
    broken(
        |node| {
            node.dpdk = false;
            node.port("s-0").error =
                Some("could not open network device (Address family not supported by protocol)");
            node.absent.push(port_of("c-0"));
        },
        expect![[r#"
            dpdk-off: OVS runs without DPDK: no vhost-user port works
              where: switches 'ovs', Open_vSwitch.dpdk_initialized = false
              fix:   ovs-vsctl set Open_vSwitch . other_config:dpdk-init=true && systemctl restart openvswitch-switch (the binary must be built with DPDK; ovs-vswitchd.log says why it cannot start it)"#]],
    );
    broken(
        |node| node.uplink = false,
        expect![[r#"
        bridge-no-uplink: the bridge has no port of type dpdk: VMs reach each other on this node, and nobody else
          where: Bridge br1, ports
          fix:   ovs-vsctl add-port br1 uplink -- set Interface uplink type=dpdk options:dpdk-devargs=<PCI address>"#]],
    );
    broken(
        |node| node.bridge = Some(""),
        expect![[r#"
        bridge-not-userspace: the bridge is in the kernel's datapath: vhost-user ports exist in userspace only
          where: Bridge br1, datapath_type = 'system'
          fix:   ovs-vsctl set bridge br1 datapath_type=netdev"#]],
    );
}

/// Two bridges of one OVS are two switches in the configuration; what is wrong with OVS is told once.
#[test]
fn one_ovs_with_several_bridges() {
    let mut node = Node::new();
    (node.pid, node.port("s-0").error) = (false, Some("x"));
    let port = port_of("s-0");
    let found = findings_of(&node, |seen| {
        let mut other = seen.scope.switches[0].clone();
        (other.name, other.bridge) = ("more".to_owned(), "br2".to_owned());
        seen.scope.switches.push(other);
    });
    let places = found.iter().map(|finding| finding.lines().nth(1).unwrap());
    assert_eq!(
        places.collect::<Vec<_>>(),
        [
            "  where: switches 'ovs', 'more', T/run",
            "  where: switches 'more', bridge = br2",
            &format!("  where: Interface {port}, error = 'x'")
        ]
    );
}

#[test]
fn no_bridge() {
    let mut node = Node::new();
    node.bridge = None;
    assert_eq!(
        node.findings()[0],
        "bridge-missing: OVS has no such bridge: no port can be plugged
  where: switches 'ovs', bridge = br1
  fix:   ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev"
    );
}

#[test]
fn the_process() {
    broken(
        |node| node.pid = false,
        expect![[r#"
        vswitchd-unknown: ovs-vswitchd has no control socket there: it does not run, or its run directory is another
          where: switches 'ovs', T/run
          fix:   systemctl restart openvswitch-switch, then see ovs-vswitchd.log"#]],
    );
    broken(
        |node| node.vswitchd = false,
        expect![[r#"
        vswitchd-silent: ovs-vswitchd does not answer: nobody listens on socket T/run/ovs-vswitchd.42.ctl: start its server
          where: switches 'ovs', ovs-vswitchd's control socket
          fix:   systemctl restart openvswitch-switch, then see ovs-vswitchd.log"#]],
    );
}

#[test]
fn ports_that_ovs_could_not_make() {
    broken(
        |node| node.port("s-0").error = Some("could not open network device x"),
        expect![[r#"
        interface-error: OVS could not make this port of bridge br1
          where: Interface vhu74d7151be70, error = 'could not open network device x'
          fix:   correct what the error names, then ovs-vsctl del-port vhu74d7151be70 and restart the pod"#]],
    );
    broken(
        |node| node.absent.push(port_of("s-0")),
        expect![[r#"
        port-not-in-datapath: port vhu74d7151be70 of bridge br1 is in the database, without an error, and not in the datapath: no packet passes. Most often DPDK got no memory for it: too few free hugepages, or its mempool driver (librte-mempool-ring) is not installed
          where: switches 'ovs', ovs-appctl dpif/show: no vhu74d7151be70
          fix:   grep -i mempool /var/log/openvswitch/ovs-vswitchd.log; apt-get install librte-mempool-ring*, or raise nr_hugepages; systemctl restart openvswitch-switch"#]],
    );
    let long = format!("/{}", "x".repeat(107));
    broken(
        |node| node.port("s-0").path = Some(long.clone()),
        expect![[r#"
        port-path-too-long: the path has 108 bytes, more than 107: OVS silently truncates it, and connects to nothing
          where: Interface vhu74d7151be70, options:vhost-server-path = '/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
          fix:   ovs-vsctl set Interface vhu74d7151be70 options:vhost-server-path=<a shorter path>"#]],
    );
}

#[test]
fn sockets_that_a_switch_left_or_nobody_moved() {
    broken(
        |node| {
            node.switch_socket("c-0");
            node.port("c-0").error = Some("could not open network device (Unknown error -1)");
        },
        expect![[r#"
            switch-socket-stale: a killed switch left its socket of device c-0: DPDK fails to bind there ('Address already in use')
              where: T/run/sockets/vhub63888b6e03
              fix:   rm T/run/sockets/vhub63888b6e03 && systemctl restart openvswitch-switch"#]],
    );
    broken(
        |node| {
            let path = node.switch_socket("c-0");
            node.listeners.push(path);
        },
        expect![[r#"
            switch-socket-not-moved: the switch listens on its socket of device c-0, and the device plugin has not moved it to the pod's directory: the guest waits for it
              where: T/run/sockets/vhub63888b6e03
              fix:   start the device plugin (it moves sockets within a second); its log says why it left this one alone"#]],
    );
    // Whether it is stale cannot be said where not all processes are seen.
    let mut node = Node::new();
    node.sees_all = false;
    node.switch_socket("c-0");
    assert_eq!(node.findings(), [""; 0]);
}

/// Without a configuration devices are those of the files, and nothing is asked of a bridge.
#[test]
fn without_a_configuration_the_files_tell_the_devices() {
    let mut node = Node::new();
    node.uplink = false;
    node.write();
    let mut scope = Scope::defaults().unwrap();
    scope.sockets.host_root = node.path("root").to_str().unwrap().parse().unwrap();
    scope.sockets.container_root = ComputePath::directory("/container").unwrap();
    scope.switches[0].ovsdb = node.path("run/db.sock").to_str().unwrap().parse().unwrap();
    fs::remove_dir(node.path("root/s-1/pod")).unwrap();
    let snapshot = gather(scope, &node.sources()).unwrap();
    let devices: Vec<_> =
        snapshot.devices.iter().map(|device| (device.scope.id.as_str(), device.scope.mode)).collect();
    assert_eq!(devices, [("c-0", SocketMode::Client), ("s-0", SocketMode::Server)]);
    let report = check(&snapshot);
    assert_eq!(
        report.facts[0],
        "no configuration: inspecting the defaults and the devices that device-info files describe"
    );
    assert_eq!(report.findings, []);
}

#[test]
fn device_info_files_of_others_are_left_alone() {
    let mut node = Node::new();
    fs::write(node.path("info/other.domain-x-x-0-device.json"), "{").unwrap();
    fs::write(node.path("info/test.domain-p-p-0-device.json"), r#"{"type":"pci"}"#).unwrap();
    assert_eq!(node.findings(), [""; 0]);
}
