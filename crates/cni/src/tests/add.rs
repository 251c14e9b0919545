use std::{
    fs,
    os::unix::net::UnixListener,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::*;

#[test]
fn add_looks_makes_and_waits() {
    let node = Node::new("server", vec![fresh(), changed(10), carried_out(&no_error())]);
    let outcome = node.run("ADD", &json!({"mtu": 2000, "applicationFile": true}));
    let socket = node.path("root/ovs-0/pod/vhost.sock");
    assert_eq!(
        outcome.answer,
        json!({"cniVersion": "1.1.0", "interfaces": [
            {"name": "net1", "sandbox": "/run/netns/c1", "mtu": 2000, "socketPath": socket}]})
    );
    assert!(outcome.success && node.staged());
    assert_eq!(node.asked(), [LOOK, CREATE, WAIT]);
    let file = fs::read_to_string(node.path("root/ovs-0/pod/vhostuser.json")).unwrap();
    assert_eq!(file, r#"{"mode":"server","vhostmac":"","vhostname":"vhost.sock"}"#);
}

#[test]
fn a_repeated_add_only_looks_and_waits() {
    let node = attached("c1");
    let outcome = node.run("ADD", &json!({}));
    assert!(outcome.success, "{}", outcome.answer);
    assert_eq!(node.asked(), [LOOK, "select Bridge", WAIT]);
}

#[test]
fn a_conflicting_add_changes_nothing() {
    let node = attached("c2");
    let outcome = node.run("ADD", &json!({}));
    assert!(!outcome.success && !node.staged());
    assert_eq!(outcome.answer["code"], 100);
    assert!(outcome.answer["msg"].as_str().unwrap().contains("container 'c2'"));
    assert_eq!(outcome.answer.get("details"), None);
    assert_eq!(node.asked(), [LOOK, "select Bridge"]);
}

#[test]
fn whoever_is_quicker_is_seen() {
    let raced =
        json!([{}, {}, {"error": "timed out", "details": "x"}, null, null, null, null, null, null, null]);
    let node = Node::new("server", vec![fresh(), raced.clone(), fresh(), raced.clone(), fresh(), raced]);
    let outcome = node.run("ADD", &json!({}));
    assert_eq!(outcome.answer["code"], 11);
    assert_eq!(
        outcome.answer["msg"],
        format!("port {PORT} could not be made in 3 attempts, because its bridge or name changed meanwhile")
    );
    assert_eq!(node.asked(), [LOOK, CREATE, LOOK, CREATE, LOOK, CREATE]);
}

/// A later step fails: the port goes again, with a connection of its own.
#[test]
fn what_ovs_says_is_told_and_the_port_is_taken_back() {
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
    let outcome = node.run("ADD", &json!({}));
    assert_eq!(outcome.answer["code"], 104);
    assert_eq!(
        outcome.answer["msg"],
        format!(
            "OVS could not make port {PORT}: 'could not open device': correct what it names, and look at ovs-vswitchd's \
             log"
        )
    );
    assert_eq!(outcome.answer.get("details"), None);
    assert_eq!(node.asked()[3..], [FIND, REMOVE, WAIT]);
    assert!(!node.staged());
}

#[test]
fn a_switch_that_does_not_follow_is_told_and_so_is_what_stays() {
    let late = json!([{"error": "timed out", "details": ""}, null]);
    let node = Node::new("server", vec![fresh(), changed(10), late]);
    let outcome = node.run("ADD", &json!({}));
    assert_eq!(outcome.answer["code"], 11);
    assert!(
        outcome.answer["msg"]
            .as_str()
            .unwrap()
            .starts_with(&format!("port {PORT} is in OVSDB, but ovs-vswitchd"))
    );
    let details = outcome.answer["details"].as_str().unwrap();
    assert!(
        details.starts_with("while undoing: port: socket ") && details.contains("closed the connection"),
        "{details}"
    );
}

#[test]
fn a_listening_port_waits_for_its_socket() {
    let answers = |rest: Vec<Value>| [vec![fresh(), changed(10), carried_out(&no_error())], rest].concat();
    let node = Node::new("client", answers(vec![]));
    let (socket, next) = (node.path("root/ovs-0/pod/vhost.sock"), node.path("next"));
    // What an earlier port has left is there all the time, and is not taken for this one's.
    let _stale = UnixListener::bind(&socket).unwrap();
    const PLACED_AFTER: Duration = Duration::from_millis(300);
    let daemon = thread::spawn(move || {
        let listener = UnixListener::bind(&next).unwrap();
        thread::sleep(PLACED_AFTER);
        fs::rename(next, socket).unwrap();
        listener
    });
    let started = Instant::now();
    assert!(node.run("ADD", &json!({"mode": "client"})).success);
    assert!(started.elapsed() >= PLACED_AFTER);
    drop(daemon.join().unwrap());

    let ours = json!([port("c1", "client"), nothing()]);
    let node = Node::new("client", answers(vec![ours, changed(5), json!([{}, nothing()])]));
    let outcome = node.run("ADD", &json!({"timeout": 1}));
    assert_eq!(outcome.answer["code"], 11);
    let msg = outcome.answer["msg"].as_str().unwrap();
    assert!(msg.contains("check that vhostuser-device-plugin runs"), "{msg}");
    assert_eq!(node.asked()[3..], [FIND, REMOVE, WAIT]);
}
