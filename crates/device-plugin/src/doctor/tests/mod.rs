//! A node that is right, and the same with one thing broken: the finding's exact text.

mod fixture;
mod switch;
mod waiting;

use std::{fs, os::unix::fs::chown};

use expect_test::{Expect, expect};
use fixture::{Node, mode};

use super::{Failure, Sources, check::check, examine, gather::gather, read_scope, snapshot::Snapshot};

/// What is found once what was seen has been changed.
fn findings_of(node: &Node, change: impl FnOnce(&mut Snapshot)) -> Vec<String> {
    node.write();
    let sources = node.sources();
    let mut seen = gather(read_scope(sources.config.as_deref()).unwrap(), &sources).unwrap();
    change(&mut seen);
    check(&seen).findings.iter().map(|finding| node.shown(&finding.to_string())).collect()
}

/// The only finding of a node in which one thing is broken.
#[track_caller]
fn broken(breaks: impl FnOnce(&mut Node), expected: Expect) {
    let mut node = Node::new();
    breaks(&mut node);
    let found = node.findings();
    assert_eq!(found.len(), 1, "{found:?}");
    expected.assert_eq(&found[0]);
}

#[test]
fn nothing_is_wrong_with_a_node_that_is_right() {
    let mut node = Node::new();
    assert_eq!(node.findings(), [""; 0]);
    let mut node = Node::new();
    assert_eq!(
        node.facts(),
        [
            "3 devices of test.domain are configured",
            "hugepages of 2048 KiB: 1024 allocated, 100 free",
            "no IOMMU is needed: vhost-user shares memory and passes no hardware to a VM",
            "switch ovs at T/run/db.sock: OVS 3.5.0, DPDK 24.11.4, 2 vhost-user ports",
            "device s-0 (guest listens, switch connects): port vhu74d7151be70, connected, pod ns/virt-launcher-vm-x7k2p",
            "device c-0 (guest connects, switch listens): port vhub63888b6e03, connected, pod ns/virt-launcher-vm-x7k2p",
        ]
    );
}

#[test]
fn without_a_configuration_it_must_be_named() {
    let mut node = Node::new();
    node.configured = false;
    let failure = examine(&node.sources()).unwrap_err();
    let path = node.path("config.yaml");
    assert_eq!(
        failure.to_string(),
        format!("{}: does not exist: pass the device plugin's configuration with --config", path.display())
    );
    fs::write(&path, "domain: x").unwrap();
    let failure = examine(&node.sources()).unwrap_err();
    assert!(matches!(failure, Failure::Config { .. }), "{failure}");
}

#[test]
fn what_cannot_be_looked_at_is_no_report() {
    let node = Node::new();
    fs::write(node.path("config.yaml"), "{domain: a.b, dataplane: {name: x}}").unwrap();
    let sources = Sources { proc: node.path("nowhere"), ..node.sources() };
    assert_eq!(
        examine(&sources).unwrap_err().to_string(),
        format!(
            "{}/self/mountinfo: No such file or directory (os error 2): run this as root, where the host's directories \
             are mounted",
            node.path("nowhere").display()
        )
    );
}

#[test]
fn hugepages() {
    broken(
        |node| node.hugepages = (0, 0),
        expect![[r#"
        hugepages-none: no hugepages are allocated: OVS-DPDK does not start, nor does a VM that asks for them
          where: /sys/kernel/mm/hugepages/*/nr_hugepages: 0
          fix:   echo 1024 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages (for good: hugepages=1024 on the kernel's command line), then systemctl restart kubelet"#]],
    );
    broken(
        |node| node.hugepages = (1024, 0),
        expect![[r#"
        hugepages-used-up: no hugepage is free: no further VM with hugepages starts here, and OVS cannot make a port of another MTU
          where: /sys/kernel/mm/hugepages/*/free_hugepages: 0 of 1024
          fix:   raise /sys/kernel/mm/hugepages/*/nr_hugepages, or move a VM away"#]],
    );
}

const PLUGIN: &str = "run vhostuser-device-plugin on this node: kubectl get pods -A -o wide --field-selector spec.nodeName=$(hostname) | grep device-plugin";

#[test]
fn a_missing_root() {
    let mut node = Node::new();
    fs::remove_dir_all(node.path("root")).unwrap();
    let found = node.findings();
    let missing = format!(
        "root-missing: the socket root is missing: the device plugin has not run\n  where: T/root\n  fix:   {PLUGIN}"
    );
    assert_eq!(found[0], missing);
    let mut node = Node::new();
    fs::remove_dir_all(node.path("root")).unwrap();
    fs::write(node.path("root"), "").unwrap();
    let file = format!(
        "root-missing: the socket root is not a directory\n  where: T/root\n  fix:   rm T/root, then {PLUGIN}"
    );
    assert_eq!(node.findings()[0], file);
}

#[test]
fn the_roots_owner_and_mode() {
    broken(
        |node| chown(node.path("root"), Some(107), Some(0)).unwrap(),
        expect![[r#"
        root-owner: the socket root is not root's: its owner can put anything in the place of a device's directory
          where: T/root, owner 107:0
          fix:   chown 0:0 T/root"#]],
    );
    broken(
        |node| mode(&node.path("root"), 0o777),
        expect![[r#"
        root-mode: the socket root must have mode 0711: QEMU and the switch pass through it, and nobody else lists or changes it
          where: T/root, mode 0777
          fix:   chmod 0711 T/root"#]],
    );
}

#[test]
fn the_roots_mount() {
    broken(
        |node| node.mount = None,
        expect![[r#"
        root-not-mounted: the socket root is not a mount of its own, as seen from here: the device plugin has not made it, or its mount does not leave its container
          where: /proc/self/mountinfo: no mount at T/root
          fix:   give the device plugin's volume of T mountPropagation: Bidirectional; run vhostuser-device-plugin on this node: kubectl get pods -A -o wide --field-selector spec.nodeName=$(hostname) | grep device-plugin"#]],
    );
    // What is mounted in it is then not seen either.
    broken(
        |node| {
            node.mount = None;
            fs::remove_dir(node.path("root/s-1/pod")).unwrap();
        },
        expect![[r#"
            root-not-mounted: the socket root is not a mount of its own, as seen from here: the device plugin has not made it, or its mount does not leave its container
              where: /proc/self/mountinfo: no mount at T/root
              fix:   give the device plugin's volume of T mountPropagation: Bidirectional; run vhostuser-device-plugin on this node: kubectl get pods -A -o wide --field-selector spec.nodeName=$(hostname) | grep device-plugin"#]],
    );
    broken(
        |node| node.mount = Some("rw,nosuid"),
        expect![[r#"
        root-follows-links: the socket root is mounted without nosymfollow: a pod's link can point the switch to another VM's socket
          where: /proc/self/mountinfo: T/root rw,nosuid
          fix:   mount -o remount,bind,nosuid,nodev,noexec,nosymfollow T/root (Linux 5.10 and later; the device plugin does it at its start)"#]],
    );
}

#[test]
fn a_devices_directory() {
    broken(
        |node| fs::remove_dir(node.path("root/s-1/pod")).unwrap(),
        expect![[r#"
        directory-missing: the device's directory is missing: a pod with this device does not start
          where: T/root/s-1/pod
          fix:   restart the device plugin: it creates missing directories"#]],
    );
    broken(
        |node| chown(node.path("root/s-1/pod"), Some(0), None).unwrap(),
        expect![[r#"
        directory-owner: the device's directory should be of 107:107 (sockets.owner): QEMU gets 'Permission denied'
          where: T/root/s-1/pod, owner 0:107
          fix:   chown 107:107 T/root/s-1/pod"#]],
    );
    broken(
        |node| mode(&node.path("root/c-0/pod"), 0o755),
        expect![[r#"
        directory-mode: the device's directory should have mode 0750 (sockets.mode): others may enter it, or QEMU may not
          where: T/root/c-0/pod, mode 0755
          fix:   chmod 0750 T/root/c-0/pod"#]],
    );
}

#[test]
fn device_info_files() {
    broken(
        |node| fs::remove_file(node.info("s-1")).unwrap(),
        expect![[r#"
        info-missing: the device-info file is missing: Multus reports no device, and the VM no network-info
          where: T/info/test.domain-s-s-1-device.json
          fix:   restart the device plugin: it writes T/info/test.domain-s-s-1-device.json at its start"#]],
    );
    broken(
        |node| fs::write(node.info("s-1"), "{").unwrap(),
        expect![[r#"
        info-unusable: the device-info file is invalid: not valid JSON: EOF while parsing an object at line 1 column 1
          where: T/info/test.domain-s-s-1-device.json
          fix:   restart the device plugin: it writes T/info/test.domain-s-s-1-device.json at its start"#]],
    );
    broken(
        |node| fs::write(node.info("s-1"), r#"{"type":"vhost-user","vhost-user":{}}"#).unwrap(),
        expect![[r#"
            info-unusable: the device-info file is invalid: deviceInfo.vhost-user.path is missing: fix what writes it (the CNI or device plugin; KubeVirt copies it)
              where: T/info/test.domain-s-s-1-device.json
              fix:   restart the device plugin: it writes T/info/test.domain-s-s-1-device.json at its start"#]],
    );
    broken(
        |node| node.write_info("s-1", "server", "/container/s-0/vhost.sock"),
        expect![[r#"
        info-path: the device-info file names another socket than the configuration (sockets.containerRoot): it should be /container/s-1/vhost.sock
          where: T/info/test.domain-s-s-1-device.json, vhost-user.path = '/container/s-0/vhost.sock'
          fix:   restart the device plugin: it writes T/info/test.domain-s-s-1-device.json at its start"#]],
    );
    broken(
        |node| node.write_info("s-1", "client", "/container/s-1/vhost.sock"),
        expect![[r#"
        info-mode: the device-info file and the configuration (mode of test.domain/s) differ: it should be 'server' (guest listens, switch connects)
          where: T/info/test.domain-s-s-1-device.json, vhost-user.mode = 'client'
          fix:   restart the device plugin: it writes T/info/test.domain-s-s-1-device.json at its start"#]],
    );
    broken(
        |node| node.write_info("s-9", "server", "/container/s-9/vhost.sock"),
        expect![[r#"
            info-orphan: a device-info file of a device that is not configured: a pod that still has it is plugged to a socket that nobody keeps
              where: T/info/test.domain-s-s-9-device.json
              fix:   restart the device plugin, or rm T/info/test.domain-s-s-9-device.json"#]],
    );
}
