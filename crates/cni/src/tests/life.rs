//! The record of a port, and ports that outlive their pod.

use std::fs;

use serde_json::json;

use super::*;

const RECORD: &str = "root/ovs-0/port.json";

/// The same port, with the network namespace of its sandbox.
fn with_netns(port: &Value, netns: &std::path::Path) -> Value {
    let mut port = port.clone();
    port["rows"][0]["external_ids"][1].as_array_mut().unwrap().push(json!(["vhostuser-netns", netns]));
    port
}

fn added() -> Node {
    let node = Node::new("server", vec![fresh(), changed(10), carried_out(&no_error())]);
    assert!(node.run("ADD", &json!({"vlan": 5})).success);
    node
}

/// The same node with another OVSDB.
fn with_answers(node: Node, answers: Vec<Value>) -> Node {
    fs::remove_file(node.path("db.sock")).unwrap();
    let (_, asked) = script(node.dir.path(), answers);
    Node { asked, ..node }
}

/// Frozen: a device plugin of another release plugs it again.
#[test]
fn add_writes_down_what_it_made() {
    let node = added();
    let record: Value = serde_json::from_slice(&fs::read(node.path(RECORD)).unwrap()).unwrap();
    let marks = json!([
        "map",
        [
            ["vhostuser-container-id", "c1"],
            ["vhostuser-device", "ovs-0"],
            ["vhostuser-device-info", node.path("cni/staged.json")],
            ["vhostuser-ifname", "net1"],
            ["vhostuser-mode", "server"],
            ["vhostuser-netns", "/run/netns/c1"],
            ["vhostuser-network", "blue"],
            ["vhostuser-owner", "network-vhostuser-binding"],
        ]
    ]);
    assert_eq!(
        record,
        json!({"ovsdb": node.path("db.sock"), "name": PORT, "bridge": "br1", "create_bridge": false, "qos": null,
            "interface": {"name": PORT, "type": "dpdkvhostuserclient", "external_ids": marks,
                "options": ["map", [["vhost-server-path", node.path("root/ovs-0/pod/vhost.sock")]]]},
            "port": {"name": PORT, "external_ids": marks, "vlan_mode": "access", "tag": 5, "trunks": ["set", []]}})
    );
}

#[test]
fn a_failed_add_leaves_no_record() {
    let ours = json!([port("c1", "server"), nothing()]);
    let answers = vec![
        fresh(),
        changed(10),
        carried_out(&json!("could not open device")),
        ours,
        changed(5),
        json!([{}, nothing()]),
    ];
    let node = Node::new("server", answers);
    fs::write(node.path(RECORD), "of an earlier pod").unwrap();
    assert_eq!(node.run("ADD", &json!({})).answer["code"], 104);
    assert!(!node.path(RECORD).exists());
}

/// Even if the switch has lost the port: nobody plugs it again.
#[test]
fn del_forgets_its_own_port_and_no_other() {
    let node = with_answers(added(), twice(&json!([nothing(), nothing()])));
    assert!(node.run("DEL", &json!({"runtimeConfig": {}})).success);
    assert!(!node.path(RECORD).exists());

    let node = with_answers(added(), twice(&json!([nothing(), nothing()])));
    let record = fs::read_to_string(node.path(RECORD)).unwrap().replace("\"c1\"", "\"c2\"");
    fs::write(node.path(RECORD), &record).unwrap();
    assert!(node.run("DEL", &json!({"runtimeConfig": {}})).success);
    assert_eq!(fs::read_to_string(node.path(RECORD)).unwrap(), record, "a late DEL of the container before");
}

/// DEL was lost, and the kubelet has given the device to this pod.
#[test]
fn add_takes_over_a_port_whose_sandbox_is_gone() {
    let node = Node::new("server", vec![]);
    let (gone, alive) = (node.path("gone"), node.path("alive"));
    fs::write(&alive, "").unwrap();
    let options = options(&node);
    let found = |netns: &std::path::Path| {
        let port = with_netns(&port("c2", "server"), netns);
        json!([switch(), bridge(), port, interface(&options, &no_error()), nothing()])
    };
    let answers = vec![
        found(&gone),
        json!([bridge()]),
        changed(5),
        json!([{}, nothing()]),
        fresh(),
        changed(10),
        carried_out(&no_error()),
    ];
    let node = with_answers(node, answers);
    fs::write(node.path(RECORD), "of c2").unwrap();
    let outcome = node.run("ADD", &json!({}));
    assert!(outcome.success, "{}", outcome.answer);
    assert_eq!(node.asked(), [LOOK, "select Bridge", REMOVE, WAIT, LOOK, CREATE, WAIT]);
    assert!(fs::read_to_string(node.path(RECORD)).unwrap().contains("\"c1\""));
    assert_eq!(
        outcome.stderr,
        format!(
            "port {PORT}: taken over from interface 'net1' of container 'c2' (pod '/', network 'blue'), whose sandbox is \
             gone\n"
        )
    );

    let node = with_answers(node, vec![found(&alive), json!([bridge()])]);
    let outcome = node.run("ADD", &json!({}));
    assert_eq!(outcome.answer["code"], 100);
    assert_eq!(node.asked(), [LOOK, "select Bridge"]);
}

/// A DEL was killed between the socket and the port: the switch makes no other socket for the port that is there.
#[test]
fn a_listening_port_without_a_socket_is_made_again() {
    let node = Node::new("client", vec![]);
    let listening = interface(&json!(["map", []]), &no_error());
    let port = port("c1", "client");
    let answers = vec![
        json!([switch(), bridge(), port, listening, port]),
        json!([bridge()]),
        changed(5),
        json!([{}, nothing()]),
        fresh(),
        changed(10),
        carried_out(&no_error()),
    ];
    let node = with_answers(node, answers);
    let socket = node.path("root/ovs-0/pod/vhost.sock");
    let daemon = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        std::os::unix::net::UnixListener::bind(socket).unwrap()
    });
    let outcome = node.run("ADD", &json!({"timeout": 60}));
    assert!(outcome.success, "{}", outcome.answer);
    assert_eq!(node.asked(), [LOOK, "select Bridge", REMOVE, WAIT, LOOK, CREATE, WAIT]);
    drop(daemon.join().unwrap());
}
