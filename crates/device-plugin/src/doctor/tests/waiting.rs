//! Who waits for whom.

use std::fs;

use expect_test::expect;

use super::{broken, findings_of, fixture::Node};

fn free_device(breaks: impl FnOnce(&mut Node)) -> Vec<String> {
    let mut node = Node::new();
    breaks(&mut node);
    node.findings()
}

#[test]
fn a_guest_without_a_port_hangs() {
    broken(
        |node| node.listen("s-1"),
        expect![[r#"
        port-missing: the guest listens, and OVS has no port for it: the VM hangs in 'paused (starting up)'
          where: device s-1, T/root/s-1/pod/vhost.sock: no port vhu6a840baf5d8
          fix:   see the logs of Multus and the CNI plugin for the pod; by hand: ovs-vsctl add-port br1 vhu6a840baf5d8 -- set Interface vhu6a840baf5d8 type=dpdkvhostuserclient options:vhost-server-path=T/root/s-1/pod/vhost.sock"#]],
    );
    broken(
        |node| {
            node.sees_all = false;
            node.leave_socket("s-1");
        },
        expect![[r#"
            port-missing: there is a socket and OVS has no port for it: if its VM is there, it hangs in 'paused (starting up)'
              where: device s-1, T/root/s-1/pod/vhost.sock: no port vhu6a840baf5d8
              fix:   see the logs of Multus and the CNI plugin for the pod; by hand: ovs-vsctl add-port br1 vhu6a840baf5d8 -- set Interface vhu6a840baf5d8 type=dpdkvhostuserclient options:vhost-server-path=T/root/s-1/pod/vhost.sock"#]],
    );
    // What a pod has left behind, and nobody uses.
    assert_eq!(free_device(|node| node.leave_socket("s-1")), [""; 0]);
    // Without the database nobody can say what is missing.
    let silent = free_device(|node| {
        node.ovsdb = false;
        node.listen("s-1");
    });
    assert!(silent.len() == 1 && silent[0].starts_with("ovsdb-silent: "), "{silent:?}");
}

/// What an earlier pod has left in the directory of a device that, as the kubelet says, nobody has.
#[test]
fn what_is_left_of_a_pod_needs_no_port() {
    let left_by = |id: &'static str, in_use| {
        let mut node = Node::new();
        node.sees_all = false;
        node.unplug("c-0");
        node.leave_socket("s-1");
        let found = findings_of(&node, |seen| {
            seen.devices
                .iter_mut()
                .for_each(|device| device.in_use = Some(device.scope.id.as_str() != id || in_use));
        });
        found.iter().filter(|finding| finding.contains(&format!("device {id}, "))).count()
    };
    for id in ["s-1", "c-0"] {
        assert_eq!((left_by(id, true), left_by(id, false)), (1, 0), "{id}");
    }
    // Whoever listens is there, whatever the kubelet says.
    let mut node = Node::new();
    node.listen("s-1");
    let found = findings_of(&node, |seen| seen.devices[1].in_use = Some(false));
    assert!(found.len() == 1 && found[0].starts_with("port-missing: the guest listens"), "{found:?}");
}

#[test]
fn a_port_that_waits_for_its_guest() {
    broken(
        |node| {
            node.port("s-0").connected = false;
            fs::remove_file(node.path("root/s-0/pod/vhost.sock")).unwrap();
        },
        expect![[r#"
            guest-absent: OVS waits for the guest, and there is no socket: pod ns/virt-launcher-vm-x7k2p has no running VM yet
              where: device s-0, T/root/s-0/pod/vhost.sock; Interface vhu74d7151be70, status = disconnected
              fix:   kubectl -n ns get pod virt-launcher-vm-x7k2p; if it is gone: ovs-vsctl del-port vhu74d7151be70"#]],
    );
    broken(
        |node| {
            node.port("s-0").connected = false;
            node.listeners.clear();
        },
        expect![[r#"
            guest-gone: OVS waits for the guest, and nobody listens on the socket: QEMU of pod ns/virt-launcher-vm-x7k2p has ended
              where: device s-0, T/root/s-0/pod/vhost.sock; Interface vhu74d7151be70, status = disconnected
              fix:   kubectl -n ns get pod virt-launcher-vm-x7k2p; if it is gone: ovs-vsctl del-port vhu74d7151be70"#]],
    );
    broken(
        |node| {
            let port = node.port("s-0");
            (port.connected, port.ours) = (false, false);
            node.listeners.clear();
        },
        expect![[r#"
            guest-gone: OVS waits for the guest, and nobody listens on the socket: QEMU of its pod has ended
              where: device s-0, T/root/s-0/pod/vhost.sock; Interface vhu74d7151be70, status = disconnected
              fix:   kubectl get pods -A; if it is gone: ovs-vsctl del-port vhu74d7151be70"#]],
    );
}

#[test]
fn both_are_there_and_do_not_meet() {
    broken(
        |node| node.port("s-0").connected = false,
        expect![[r#"
        not-connected: the socket is there, and OVS is not connected to it: OVS does not see this directory, or may not connect
          where: device s-0, T/root/s-0/pod/vhost.sock; Interface vhu74d7151be70, status = disconnected
          fix:   grep T/root/s-0/pod/vhost.sock /var/log/openvswitch/ovs-vswitchd.log; ls -l T/root/s-0/pod/vhost.sock; a switch in a pod must mount the socket root (resource 'dataplane'), one that is not root needs sockets.switchUser"#]],
    );
    broken(
        |node| {
            node.port("s-0").connected = false;
            node.sees_all = false;
            node.listeners.clear();
        },
        expect![[r#"
            not-connected: the socket is there, and OVS is not connected to it: QEMU has ended (its process cannot be seen from here), OVS does not see this directory, or may not connect
              where: device s-0, T/root/s-0/pod/vhost.sock; Interface vhu74d7151be70, status = disconnected
              fix:   grep T/root/s-0/pod/vhost.sock /var/log/openvswitch/ovs-vswitchd.log; ls -l T/root/s-0/pod/vhost.sock; a switch in a pod must mount the socket root (resource 'dataplane'), one that is not root needs sockets.switchUser"#]],
    );
}

#[test]
fn a_port_that_looks_elsewhere() {
    broken(
        |node| {
            let wrong = node.port("s-0");
            (wrong.path, wrong.connected) = (Some("/elsewhere/vhost.sock".to_owned()), false);
        },
        expect![[r#"
            port-path-wrong: OVS uses another path for the socket of device s-0: the VM hangs in 'paused (starting up)'
              where: Interface vhu74d7151be70, options:vhost-server-path = '/elsewhere/vhost.sock'
              fix:   ovs-vsctl set Interface vhu74d7151be70 options:vhost-server-path=T/root/s-0/pod/vhost.sock"#]],
    );
    // /var/run and /run are the same directory.
    let same = free_device(|node| {
        std::os::unix::fs::symlink(node.path("root"), node.path("other")).unwrap();
        let path = node.path("other/s-0/pod/vhost.sock").to_str().unwrap().to_owned();
        node.port("s-0").path = Some(path);
    });
    assert_eq!(same, [""; 0]);
}

#[test]
fn a_port_of_the_other_type() {
    broken(
        |node| node.port("s-0").kind = "dpdkvhostuser",
        expect![[r#"
            port-type: the port's type does not fit the resource's mode 'server' (guest listens, switch connects): both ends listen, or neither
              where: Interface vhu74d7151be70, type = 'dpdkvhostuser'
              fix:   ovs-vsctl set Interface vhu74d7151be70 type=dpdkvhostuserclient options:vhost-server-path=T/root/s-0/pod/vhost.sock"#]],
    );
}

#[test]
fn where_the_switch_listens() {
    broken(
        |node| {
            node.port("c-0").connected = false;
            fs::remove_file(node.path("root/c-0/pod/vhost.sock")).unwrap();
        },
        expect![[r#"
            switch-socket-missing: the switch's socket is not in the pod's directory: the guest waits for it
              where: device c-0, T/root/c-0/pod/vhost.sock; Interface vhub63888b6e03, status = disconnected
              fix:   systemctl restart openvswitch-switch, which creates it again (and interrupts every VM of this node for a moment); if it does not come, ls -l T/run/sockets/vhub63888b6e03: if it is missing there, see ovs-vswitchd.log, otherwise the device plugin's log"#]],
    );
    broken(
        |node| node.port("c-0").connected = false,
        expect![[r#"
        guest-absent: the switch listens, and no guest has connected: its VM is not running (yet)
          where: device c-0, T/root/c-0/pod/vhost.sock; Interface vhub63888b6e03, status = disconnected
          fix:   look at the VM; if it is gone: ovs-vsctl del-port vhub63888b6e03"#]],
    );
    broken(
        |node| node.unplug("c-0"),
        expect![[r#"
            port-missing: a socket of the switch is in the pod's directory, and OVS has no port for it: a guest that connects is refused again and again
              where: device c-0, T/root/c-0/pod/vhost.sock: no port vhub63888b6e03
              fix:   wait a minute for the device plugin to plug it again, or restart the VM; by hand: ovs-vsctl add-port br1 vhub63888b6e03 -- set Interface vhub63888b6e03 type=dpdkvhostuser"#]],
    );
}
