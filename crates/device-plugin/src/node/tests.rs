use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::mount::UnmountFlags;

use super::*;
use crate::own_mounts::inside;

const SOCKETS: &str = "
domain: a.b
sockets: {hostRoot: /run/vhostuser}
switches: [{name: ovs, bridge: br}]
resources: [{name: sockets, ports: 2, mode: server, switch: ovs}]
";

fn node(config: &str) -> Node {
    let config = Config::parse(config).unwrap();
    let root = SocketRoot::prepare(&config).unwrap();
    let files = InfoFiles::open("/run/devinfo".into(), "a.b", config.sockets.container_root.clone()).unwrap();
    let own_pod = Some(("ns".to_owned(), "plugin".to_owned()));
    Node::prepare(config, own_pod, root, files, Metrics::new(None), &Readiness::new()).unwrap()
}

fn listing(pods: &[&str], ids: &[&str]) -> Listing {
    Listing {
        devices: ids.iter().map(|id| ("a.b/sockets".to_owned(), (*id).to_owned())).collect(),
        pods: pods.iter().map(|pod| ("ns".to_owned(), (*pod).to_owned())).collect(),
    }
}

fn ids(node: &Node) -> Vec<String> {
    let mut ids: Vec<_> = node.root.devices().unwrap().iter().map(DeviceId::to_string).collect();
    ids.sort();
    ids
}

/// Devices of an earlier configuration: while a pod has one, and while it is not certain that none has.
#[test]
fn only_what_certainly_nobody_has_is_removed() {
    if !inside("node::tests::only_what_certainly_nobody_has_is_removed") {
        return;
    }
    drop(node(&SOCKETS.replace("ports: 2", "ports: 5")));
    std::fs::write("/run/vhostuser/sockets-4/pod/vhost.sock", "in use").unwrap();
    let node = node(SOCKETS);
    let later = |seconds| node.started + Duration::from_secs(seconds);
    let all = ["sockets-0", "sockets-1", "sockets-2", "sockets-3", "sockets-4"];
    // Too early; a kubelet that knows of no pod yet; one that knows of others, but not of ours.
    node.listed(&listing(&["plugin", "vm"], &["sockets-4"]), later(1));
    node.listed(&listing(&[], &[]), later(100));
    node.listed(&listing(&["static"], &[]), later(110));
    assert_eq!(ids(&node), all);
    // Whole; one has just been given back.
    node.listed(&listing(&["plugin", "vm"], &["sockets-3", "sockets-4"]), later(120));
    assert_eq!(ids(&node), ["sockets-0", "sockets-1", "sockets-3", "sockets-4"]);
    node.listed(&listing(&["plugin", "vm"], &["sockets-4"]), later(130));
    assert_eq!(ids(&node), ["sockets-0", "sockets-1", "sockets-3", "sockets-4"]);
    node.listed(&listing(&["plugin", "vm"], &["sockets-4"]), later(140));
    assert_eq!(ids(&node), ["sockets-0", "sockets-1", "sockets-4"]);
    let kept = std::fs::read_to_string("/run/vhostuser/sockets-4/pod/vhost.sock").unwrap();
    assert_eq!(kept, "in use");
}

/// One device that cannot be made ready: the others are offered.
#[test]
fn a_broken_device_is_not_offered() {
    if !inside("node::tests::a_broken_device_is_not_offered") {
        return;
    }
    drop(node(&SOCKETS.replace("ports: 2", "ports: 1")));
    std::fs::create_dir_all("/run/vhostuser/sockets-1/pod").unwrap();
    let node = node(SOCKETS);
    node.switch_seen(0, Ok(&[]));
    // Once it is certain that no pod has it.
    node.listed(&listing(&["plugin"], &[]), node.started + Duration::from_secs(10));
    let offered: Vec<_> = node.offers(0).borrow().iter().map(|one| (one.id.clone(), one.healthy)).collect();
    assert_eq!(offered, [("sockets-0".to_owned(), true), ("sockets-1".to_owned(), false)]);
}

/// Directories, rights and files that somebody has changed are right again within a minute, and `/readyz` says so.
#[test]
fn what_somebody_changed_is_repaired() {
    if !inside("node::tests::what_somebody_changed_is_repaired") {
        return;
    }
    let (node, readiness) = (node(SOCKETS), Readiness::new());
    node.repair(&readiness);
    assert_eq!(readiness.page(), (true, "ready\n".to_owned()));

    let pod = "/run/vhostuser/sockets-0/pod";
    let info = "/run/devinfo/a.b-sockets-sockets-1-device.json";
    let written = std::fs::read_to_string(info).unwrap();
    std::fs::write(format!("{pod}/vhost.sock"), "in use").unwrap();
    std::os::unix::fs::chown(pod, Some(0), None).unwrap();
    std::fs::set_permissions("/run/vhostuser", PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::remove_dir("/run/vhostuser/sockets-1/pod").unwrap();
    std::fs::write(info, "{}").unwrap();
    node.repair(&readiness);
    let fixed = "ready\nfixed: socket root\nfixed: device sockets-0\nfixed: device sockets-1\n";
    assert_eq!(readiness.page(), (true, fixed.to_owned()));
    let rights = |path: &str| {
        let found = std::fs::metadata(path).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o7777)
    };
    assert_eq!(rights("/run/vhostuser"), (0, 0, 0o711));
    for id in ["sockets-0", "sockets-1"] {
        assert_eq!(rights(&format!("/run/vhostuser/{id}/pod")), (107, 107, 0o770));
    }
    assert_eq!(std::fs::read_to_string(format!("{pod}/vhost.sock")).unwrap(), "in use");
    assert_eq!(std::fs::read_to_string(info).unwrap(), written);

    // What it must not repair is a reason against being ready, until somebody has.
    crate::mounts::unmount("/run/vhostuser/sockets-1".as_ref(), UnmountFlags::DETACH).unwrap();
    node.repair(&readiness);
    let reason = "device sockets-1: /run/vhostuser/sockets-1: it was unmounted or replaced after the start: restart the \
                  device plugin\n";
    assert_eq!(readiness.page(), (false, reason.to_owned()));
}

#[test]
fn uplinks_on_several_nodes_give_no_hint() {
    assert_eq!(only_node(&[]), None);
    assert_eq!(only_node(&[Some(1), Some(1)]), Some(1));
    assert_eq!(only_node(&[Some(1), Some(0)]), None);
    assert_eq!(only_node(&[Some(1), None]), None);
    assert_eq!(only_node(&[None]), None);
}
