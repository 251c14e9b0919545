use std::{fs, os::unix::net::UnixListener, thread, time::Duration};

use serde_json::json;

use super::*;

#[test]
fn del_succeeds_when_nothing_is_there() {
    let node = Node::new("server", twice(&json!([nothing(), nothing()])));
    let outcome = node.run("DEL", &json!({"deviceID": "", "vlan": "broken"}));
    assert!(outcome.success);
    assert_eq!(outcome.answer, Value::Null);
    assert_eq!(node.asked(), [FIND, FIND]);
}

#[test]
fn del_removes_port_socket_and_file() {
    let ours = json!([port("c1", "client"), nothing()]);
    let node = Node::new("client", [twice(&ours), vec![changed(5), json!([{}, nothing()])]].concat());
    fs::create_dir(node.path("cni")).unwrap();
    let info = json!({"type": "vhost-user", "vhost-user": {"mode": "client", "path": "/c/ovs-0/vhost.sock"}});
    fs::write(node.path("cni/staged.json"), info.to_string()).unwrap();
    for name in ["root/ovs-0/pod/vhost.sock", "root/ovs-0/pod/vhostuser.json"] {
        fs::write(node.path(name), "x").unwrap();
    }
    assert!(node.run("DEL", &json!({})).success);
    assert_eq!(node.asked(), [FIND, FIND, REMOVE, WAIT]);
    assert!(!node.staged());
    assert_eq!(fs::read_dir(node.path("root/ovs-0/pod")).unwrap().count(), 0);
}

/// A configuration that names another file of the node.
#[test]
fn del_removes_no_other_file() {
    let node = Node::new("server", twice(&json!([nothing(), nothing()])));
    fs::create_dir(node.path("cni")).unwrap();
    fs::write(node.path("cni/staged.json"), "root:x:0:0").unwrap();
    assert!(node.run("DEL", &json!({})).success);
    assert!(node.staged());
}

#[test]
fn without_ovsdb_del_is_to_be_tried_again() {
    let node = Node::new("server", vec![]);
    let outcome = node.run("DEL", &json!({"ovsdb": node.path("none.sock"), "timeout": 1}));
    assert_eq!(outcome.answer["code"], 11);
    let outcome = node.run("STATUS", &json!({"ovsdb": node.path("none.sock")}));
    assert_eq!(outcome.answer["code"], 50);
}

/// ovsdb-server restarts: its socket refuses, is missing, and answers again.
#[test]
fn add_and_del_wait_for_ovsdb_to_come_back() {
    for (command, answers) in [
        ("ADD", vec![fresh(), changed(10), carried_out(&no_error())]),
        ("DEL", twice(&json!([nothing(), nothing()]))),
    ] {
        let node = Node::new("server", vec![]);
        let (socket, dir) = (node.path("db.sock"), node.path("."));
        fs::remove_file(&socket).unwrap();
        drop(UnixListener::bind(&socket).unwrap());
        let server = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            fs::remove_file(&socket).unwrap();
            thread::sleep(Duration::from_millis(300));
            script(&dir, answers)
        });
        let outcome = node.run(command, &json!({"timeout": 60}));
        assert!(outcome.success, "{command}: {}", outcome.answer);
        drop(server.join().unwrap());
    }
}

/// A pod's annotation can set `runtimeConfig.deviceID`.
#[test]
fn only_add_refuses_a_device_that_nobody_allocated() {
    let config = json!({"deviceID": null, "runtimeConfig": {"deviceID": "ovs-0"}});
    let outcome = Node::new("server", vec![]).run("ADD", &config);
    assert_eq!(outcome.answer["code"], 7);
    let msg = outcome.answer["msg"].as_str().unwrap();
    assert!(msg.contains("runtimeConfig.deviceID: 'ovs-0' without the top-level deviceID"), "{msg}");
    assert!(Node::new("server", twice(&json!([nothing(), nothing()]))).run("DEL", &config).success);
    let differing = json!({"deviceID": "ovs-1", "runtimeConfig": {"deviceID": "ovs-0"}});
    let outcome = Node::new("server", vec![]).run("ADD", &differing);
    assert!(outcome.answer["msg"].as_str().unwrap().contains("differs from runtimeConfig.deviceID"));
    assert!(Node::new("server", twice(&json!([nothing(), nothing()]))).run("DEL", &differing).success);
    let check = Node::new("server", vec![fresh()]).run(
        "CHECK",
        &json!({"deviceID": null,
        "runtimeConfig": {"deviceID": "ovs-0"}, "prevResult": {}}),
    );
    assert_eq!(check.answer["code"], 105, "{}", check.answer);
}

#[test]
fn gc_leaves_what_is_listed() {
    let mut both = port("c1", "server")["rows"].as_array().unwrap().clone();
    both.extend(port("c2", "server")["rows"].as_array().unwrap().clone());
    let ours = json!([{ "rows": both }, nothing()]);
    let answers = [twice(&ours), vec![changed(5), json!([{}, nothing()]), ours]].concat();
    let node = Node::new("server", answers);
    let valid = |names: &[&str]| {
        let list: Vec<_> = names.iter().map(|name| json!({"containerID": name, "ifname": "net1"})).collect();
        json!({ "cni.dev/valid-attachments": list })
    };
    assert!(node.run("GC", &valid(&["c1", "c3"])).success);
    // One of the two.
    assert_eq!(node.asked(), [FIND, FIND, REMOVE, WAIT]);
    assert!(node.run("GC", &json!({})).answer["code"] == 7);
    let node = Node::new("server", vec![json!([{ "rows": both }, nothing()])]);
    assert!(node.run("GC", &valid(&["c1", "c2"])).success);
    assert_eq!(node.asked(), [FIND]);
}

#[test]
fn status_tells_whether_add_could_succeed() {
    let lock = |granted: bool| {
        let probes = (0..4).flat_map(|_| [json!({"locked": granted}), json!({})]);
        [vec![json!([switch(), bridge()])], probes.take(if granted { 2 } else { 8 }).collect()].concat()
    };
    let node = Node::new("server", lock(false));
    assert!(node.run("STATUS", &json!({"deviceID": ""})).success);
    let outcome = Node::new("server", lock(true)).run("STATUS", &json!({}));
    assert_eq!(
        (&outcome.answer["code"], &outcome.answer["msg"]),
        (
            &json!(51),
            &json!("no ovs-vswitchd serves this database (nobody holds its lock ovs_vswitchd): start it")
        )
    );
    let node = Node::new("server", vec![json!([switch(), nothing()])]);
    let outcome = node.run("STATUS", &json!({}));
    assert_eq!(outcome.answer["code"], 51);
    assert!(outcome.answer["msg"].as_str().unwrap().starts_with("OVS has no bridge 'br1'"));
}

#[test]
fn check_tells_every_deviation() {
    let node = attached("c1");
    let result = json!({"interfaces": [{"name": "net1", "sandbox": "/run/netns/c1",
        "socketPath": node.path("root/ovs-0/pod/vhost.sock")}]});
    let mode = json!({"type": "vhost-user", "version": "1.1.0",
        "vhost-user": {"mode": "server", "path": "/var/run/vhostuser/ovs-0/vhost.sock"}});
    fs::create_dir(node.path("cni")).unwrap();
    fs::write(node.path("cni/staged.json"), mode.to_string()).unwrap();
    let outcome = node.run("CHECK", &json!({ "prevResult": result }));
    assert!(outcome.success, "{}", outcome.answer);
    assert_eq!(outcome.answer, Value::Null);
    assert_eq!(node.asked(), [LOOK, "select Bridge"]);
    let outcome = node.run("CHECK", &json!({}));
    assert_eq!(outcome.answer["code"], 7);
}

/// What is missing on the file system hides nothing else.
#[test]
fn check_goes_on_without_device_info_and_directory() {
    let node = attached("c2");
    fs::remove_dir_all(node.path("root/ovs-0")).unwrap();
    fs::remove_file(node.path("dp/x-ovs-0-device.json")).unwrap();
    let outcome =
        node.run("CHECK", &json!({ "prevResult": {"ips": [{"address": "192.0.2.7/24"}]}, "vlan": 7 }));
    assert_eq!(outcome.answer["code"], 105);
    let msg = outcome.answer["msg"].as_str().unwrap().replace(node.dir.path().to_str().unwrap(), "");
    assert_eq!(
        msg,
        "the attachment is not as it was made: prevResult has no interface \"net1\"; external_ids:vhostuser-container-id \
         is 'c2', should be 'c1'; VLANs are all (tag none, trunks []), should be access (tag 7, trunks []); prevResult has \
         the address 192.0.2.7/24, which IPAM did not give; device ovs-0: /dp: no file *-ovs-0-device.json describes the \
         device: check that vhostuser-device-plugin runs on this node, and give the NAD the capability CNIDeviceInfoFile; \
         device ovs-0: /root/ovs-0/pod: does not exist: socketRoot must be the device plugin's sockets.hostRoot, and the \
         device plugin must have given the device to the pod"
    );
}

/// A device that another call works on, perhaps an ADD that has no port yet: the runtime is to come again.
#[test]
fn a_device_that_another_call_works_on_is_waited_for() {
    let node = Node::new("server", vec![json!([nothing(), nothing()])]);
    let (root, id) = (node.path("root").to_str().unwrap().parse().unwrap(), "ovs-0".parse().unwrap());
    let _other = node::socketdir::DeviceLock::take(&root, &id, Instant::now()).unwrap().unwrap();
    for command in ["ADD", "DEL"] {
        let outcome = node.run(command, &json!({"timeout": 1}));
        assert_eq!(outcome.answer["code"], 11);
        let device = root.as_ref().join("ovs-0").display().to_string();
        let busy = "another call of the CNI plugin, or the device plugin, has worked on this device for ";
        let msg = outcome.answer["msg"].as_str().unwrap();
        let waited =
            msg.strip_prefix(&format!("{device}: {busy}")).and_then(|msg| msg.strip_suffix("s: try again"));
        assert!(waited.unwrap_or_else(|| panic!("{msg}")).parse::<f64>().unwrap() < 1.5, "{msg}");
    }
    assert_eq!(node.asked(), [FIND]);
}

/// The administrator's mistakes and the runtime's are told together.
#[test]
fn all_mistakes_are_told_in_one_message() {
    let node = Node::new("server", vec![]);
    let config = json!({
        "deviceID": "", "prevResult": {}, "more": 1, "mtu": 1, "trunk": ["a", 4095],
        "runtimeConfig": {"CNIDeviceInfoFile": "x", "mac": "y"},
    });
    let outcome = node.run("ADD", &config);
    assert_eq!(outcome.answer["code"], 7);
    let msg = outcome.answer["msg"].as_str().unwrap();
    let form = "is not a VLAN id from 0 to 4094, or a range such as \"200-210\"";
    let mistakes = [
        "network configuration: mtu: '1' must be a whole number from 68 to 9702".to_owned(),
        format!("trunk: '\"a\"' {form}"),
        format!("trunk: '4095' {form}"),
        "runtimeConfig.CNIDeviceInfoFile: 'x' is no absolute path".to_owned(),
        "runtimeConfig.mac: 'y' is not a MAC address: expected six octets of two hex digits, separated by ':' or '-'".to_owned(),
        "prevResult: another plugin comes before this one: put this one first in the list".to_owned(),
        CniError::NoDevice.to_string(),
        "not known: 'more' with value '1'".to_owned(),
    ];
    assert!(msg.starts_with(&mistakes.join("; ")), "{msg}");
    // What is missing has its own code only where it is all that is wrong.
    let outcome = node.run("ADD", &json!({"deviceID": ""}));
    assert_eq!(
        (&outcome.answer["code"], &outcome.answer["msg"]),
        (&json!(101), &json!(CniError::NoDevice.to_string()))
    );
    let outcome = node.run("ADD", &json!({"socketRoot": format!("/{}", "d".repeat(86))}));
    assert_eq!(outcome.answer["code"], 102);
    let msg = outcome.answer["msg"].as_str().unwrap();
    assert!(msg.contains("has 108 bytes, more than the 107 of a unix socket: choose a shorter"), "{msg}");
    assert_eq!(node.asked(), Vec::<String>::new());
}

#[test]
fn commands_that_need_no_switch() {
    let node = Node::new("server", vec![]);
    let versions = json!(["0.3.1", "0.4.0", "1.0.0", "1.1.0"]);
    for (asked, told) in [("0.4.0", "0.4.0"), ("9.9.9", "1.1.0")] {
        let outcome = node.run("VERSION", &json!({ "cniVersion": asked }));
        assert!(outcome.success);
        assert_eq!(outcome.answer, json!({"cniVersion": told, "supportedVersions": versions}));
    }
    for (command, version, code, msg) in [
        ("ADD", "0.2.0", 1, "cniVersion '0.2.0' is not supported, only 0.3.1, 0.4.0, 1.0.0, 1.1.0"),
        ("CHECK", "0.3.1", 1, "CHECK needs cniVersion 0.4.0 or later, the configuration has 0.3.1"),
        ("GC", "1.0.0", 1, "GC needs cniVersion 1.1.0 or later, the configuration has 1.0.0"),
        ("STATUS", "1.0.0", 1, "STATUS needs cniVersion 1.1.0 or later, the configuration has 1.0.0"),
        (
            "NONE",
            "1.0.0",
            4,
            "environment: CNI_COMMAND: 'NONE' is not known, only ADD, DEL, CHECK, GC, STATUS and VERSION",
        ),
    ] {
        let outcome = node.run(command, &json!({ "cniVersion": version }));
        let known = Version::parse(version).filter(|_| command != "NONE").unwrap_or(Version::V1_1_0);
        assert!(!outcome.success);
        assert_eq!(outcome.answer, json!({"cniVersion": known.as_str(), "code": code, "msg": msg}));
    }
    let outcome = node.run("ADD", &json!({ "prevResult": {} }));
    assert_eq!(outcome.answer["code"], 7);
    assert_eq!(node.asked(), Vec::<String>::new());
}
