//! What pods leave on the switch when a DEL is lost, and what a switch loses.

use std::{collections::BTreeSet, fs, os::unix::net::UnixListener, path::Path, time::Duration};

use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use tokio::time::sleep;
use vocabulary::DeviceId;

use crate::{
    node::{LISTENING, Node, OVSDB, ROOT, SOCKETS, names, set},
    ovsdb::Database,
    own_mounts::alone,
    plugin::until,
};

fn port_name(id: &str) -> String {
    id.parse::<DeviceId>().unwrap().port_name()
}

fn netns(container: &str) -> String {
    format!("/run/netns/{container}")
}

/// A sandbox runs; the runtime's directory exists from the first one on.
fn begin(container: &str) {
    fs::create_dir_all("/run/netns").unwrap();
    fs::write(netns(container), "").unwrap();
}

/// It has ended, and nobody called DEL.
fn end(container: &str) {
    fs::remove_file(netns(container)).unwrap();
}

/// What ADD leaves.
fn add(database: &Database, id: &str, container: &str) {
    begin(container);
    let netns = netns(container);
    let marks = [
        ("vhostuser-owner", "network-vhostuser-binding"),
        ("vhostuser-container-id", container),
        ("vhostuser-device", id),
        ("vhostuser-ifname", "net1"),
        ("vhostuser-netns", &netns),
        ("pod-name", "vm-1"),
        ("pod-namespace", "ns1"),
    ];
    database.plug(&port_name(id), &marks);
    let record = json!({"ovsdb": OVSDB, "name": port_name(id), "bridge": "br1", "create_bridge": false, "qos": null,
        "interface": {"name": port_name(id), "external_ids": ["map", marks]},
        "port": {"name": port_name(id), "external_ids": ["map", marks], "tag": 7}});
    fs::write(record_of(id), record.to_string()).unwrap();
}

fn record_of(id: &str) -> String {
    format!("{ROOT}/{id}/port.json")
}

/// DEL lost, pod force-deleted, and the next pod has the device at once: with a NAD or without, it never reaches the old
/// network, and nobody has to come.
#[tokio::test]
async fn the_next_pod_never_gets_the_last_pods_network() {
    alone("life::the_next_pod_never_gets_the_last_pods_network", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm-1", SOCKETS, 3).await.unwrap();
        for number in 0..3 {
            add(&node.database, &format!("sockets-{number}"), &format!("c{number}"));
            end(&format!("c{number}"));
        }
        node.kubelet.release("vm-1");
        node.kubelet.allocate("vm-2", SOCKETS, 2).await.unwrap();
        assert_eq!(node.database.ports(), [port_name("sockets-2")]);
        assert_eq!(names(&format!("{ROOT}/sockets-0")), set(&["pod"]));
        // The other one nobody asks for.
        plugin.stop().await;
        until("the kubelet has noticed", || !node.kubelet.listens(SOCKETS)).await;
        let plugin = node.ready_plugin().await;
        until("it is removed all the same", || node.database.ports().is_empty()).await;
        until("so is its record", || !Path::new(&record_of("sockets-2")).exists()).await;
        plugin.stop().await;
    })
    .await;
}

/// The kubelet knows of no pod that has the device, and yet its sandbox is there: nobody touches the port, and nobody
/// gets the device.
#[tokio::test]
async fn a_living_guests_port_is_never_removed() {
    alone("life::a_living_guests_port_is_never_removed", async {
        let mut node = Node::new().await;
        add_before_the_plugin(&node);
        let plugin = node.ready_plugin_without(&["sockets-0", "sockets-1"]).await;
        let reason = |id: &str| {
            let told = |event: &serde_json::Value| event["device"] == id && event["level"] == "WARN";
            plugin.events().into_iter().filter(told).map(|event| event["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (first, second) = (port_name("sockets-0"), port_name("sockets-1"));
        let text = |port: &str, whose: &str| {
            format!(
                "its port {port} on the switch was made for pod 'ns1/vm-1', whose sandbox is not certainly gone ({whose}): it \
                 becomes free when the runtime detaches it; fix, if no such pod runs on this node: ovs-vsctl del-port \
                 {port}; until then no pod gets the device"
            )
        };
        assert_eq!(reason("sockets-0"), [text(&first, "network namespace /run/netns/c0")]);
        assert_eq!(reason("sockets-1"), [text(&second, "made by an earlier release")]);
        let error = node.allocate_exactly("sockets-0").await.unwrap_err();
        assert!(error.contains("device sockets-0: its port "), "{error}");
        assert_eq!(node.database.ports(), [first, second.clone()]);

        end("c0");
        until("it is free", || node.kubelet.healthy(SOCKETS) == set(&["sockets-0", "sockets-2"])).await;
        assert_eq!(node.database.ports(), [second]);
        plugin.stop().await;
    })
    .await;
}

fn add_before_the_plugin(node: &Node) {
    fs::create_dir_all(ROOT).unwrap();
    for id in ["sockets-0", "sockets-1"] {
        let container = id.replace("sockets-", "c");
        begin(&container);
        let netns = netns(&container);
        let mut marks = vec![
            ("vhostuser-owner", "network-vhostuser-binding"),
            ("vhostuser-device", id),
            ("pod-name", "vm-1"),
            ("pod-namespace", "ns1"),
        ];
        if id == "sockets-0" {
            marks.push(("vhostuser-netns", &netns));
        }
        node.database.plug(&port_name(id), &marks);
    }
}

/// The switch cannot be asked: a device that may have a port is not given away, and others are.
#[tokio::test]
async fn without_the_switch_a_device_that_may_have_a_port_is_not_given_away() {
    alone("life::without_the_switch_a_device_that_may_have_a_port_is_not_given_away", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm-1", SOCKETS, 1).await.unwrap();
        add(&node.database, "sockets-0", "c0");
        end("c0");
        node.kubelet.release("vm-1");
        node.ovsdb = None;
        node.allocate_exactly("sockets-1").await.unwrap();
        let error = node.allocate_exactly("sockets-0").await.unwrap_err();
        let text = "device sockets-0: a port of it may still be on the switch, and the switch cannot be asked: socket \
                    /run/openvswitch/db.sock does not exist";
        assert!(error.contains(text), "{error}");
        node.start_switch();
        node.allocate_exactly("sockets-0").await.unwrap();
        assert_eq!(node.database.ports(), Vec::<String>::new());
        plugin.stop().await;
    })
    .await;
}

/// A list without our own pod is that of a kubelet that does not know its pods yet.
#[tokio::test]
async fn a_kubelet_that_knows_of_no_pods_removes_no_port() {
    alone("life::a_kubelet_that_knows_of_no_pods_removes_no_port", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        add(&node.database, "sockets-0", "c0");
        end("c0");
        node.kubelet.be_ignorant(true);
        let error = node.allocate_exactly("sockets-0").await.unwrap_err();
        assert!(error.contains("the kubelet's list of pods is not complete"), "{error}");
        node.kubelet.be_ignorant(false);
        node.kubelet.pretend(1, |_| (SOCKETS.to_owned(), BTreeSet::from(["sockets-0".to_owned()])));
        let error = node.allocate_exactly("sockets-0").await.unwrap_err();
        assert!(error.contains("by the kubelet's list a pod has the device"), "{error}");
        assert_eq!(node.database.ports(), [port_name("sockets-0")]);
        plugin.stop().await;
    })
    .await;
}

/// Neither does one that has not said anything yet when the plugin starts.
#[tokio::test]
async fn nothing_is_removed_before_it_is_known_who_has_what() {
    alone("life::nothing_is_removed_before_it_is_known_who_has_what", async {
        let mut node = Node::new().await;
        node.kubelet.be_ignorant(true);
        let plugin = node.ready_plugin().await;
        add(&node.database, "sockets-0", "c0");
        end("c0");
        // Longer than until the next round.
        sleep(Duration::from_secs(8)).await;
        assert_eq!(node.database.ports(), [port_name("sockets-0")]);
        node.kubelet.be_ignorant(false);
        until("the port is removed", || node.database.ports().is_empty()).await;
        plugin.stop().await;
    })
    .await;
}

/// The database of a switch that runs in a container is new after each restart. Only what ADD has written down, and no
/// DEL has forgotten, is plugged again.
#[tokio::test]
async fn what_the_switch_has_lost_is_plugged_again() {
    alone("life::what_the_switch_has_lost_is_plugged_again", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm-1", SOCKETS, 3).await.unwrap();
        let listed = format!("devices_allocated{{resource=\"{SOCKETS}\"}}");
        until("it knows what is in use", || plugin.metric(&listed) == 3).await;
        for number in 0..3 {
            add(&node.database, &format!("sockets-{number}"), &format!("c{number}"));
        }
        // DEL of one that the pod still has, and one whose sandbox has ended.
        fs::remove_file(record_of("sockets-1")).unwrap();
        end("c2");
        node.ovsdb = None;
        until("it is noticed", || plugin.metric("switch_up{switch=\"ovs\"}") == 0).await;
        node.database = Database::default();
        node.start_switch();
        until("the port is there again", || !node.database.ports().is_empty()).await;
        sleep(Duration::from_secs(2)).await;
        assert_eq!(node.database.ports(), [port_name("sockets-0")]);
        assert_eq!(node.database.column(&port_name("sockets-0"), "tag"), 7);
        plugin.stop().await;
    })
    .await;
}

/// DEL holds the device while the switch comes back: the port is plugged after it or not at all.
#[tokio::test]
async fn a_del_that_races_the_plugging_wins() {
    alone("life::a_del_that_races_the_plugging_wins", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm-1", SOCKETS, 1).await.unwrap();
        let listed = format!("devices_allocated{{resource=\"{SOCKETS}\"}}");
        until("it knows what is in use", || plugin.metric(&listed) == 1).await;
        add(&node.database, "sockets-0", "c0");
        let device = fs::File::open(format!("{ROOT}/sockets-0")).unwrap();
        flock(&device, FlockOperation::LockExclusive).unwrap();
        node.ovsdb = None;
        until("it is noticed", || plugin.metric("switch_up{switch=\"ovs\"}") == 0).await;
        node.database = Database::default();
        node.start_switch();
        sleep(Duration::from_secs(3)).await;
        assert_eq!(node.database.ports(), Vec::<String>::new());
        fs::remove_file(record_of("sockets-0")).unwrap();
        drop(device);
        // Longer than until the next round.
        sleep(Duration::from_secs(7)).await;
        assert_eq!(node.database.ports(), Vec::<String>::new());
        plugin.stop().await;
    })
    .await;
}

/// A socket that was moved to its pod's directory after the port had gone.
#[tokio::test]
async fn a_socket_without_a_port_goes() {
    alone("life::a_socket_without_a_port_goes", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm-1", LISTENING, 1).await.unwrap();
        let sockets = ["listening-0", "listening-1"].map(|id| format!("{ROOT}/{id}/pod/vhost.sock"));
        let _listening = sockets.each_ref().map(|socket| UnixListener::bind(socket).unwrap());
        plugin.stop().await;
        until("the kubelet has noticed", || !node.kubelet.listens(SOCKETS)).await;
        let plugin = node.ready_plugin().await;
        until("nobody's goes", || !Path::new(&sockets[1]).exists()).await;
        assert!(Path::new(&sockets[0]).exists(), "a pod has the device");
        plugin.stop().await;
    })
    .await;
}
