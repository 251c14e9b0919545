use serde_json::{Value, json};

use super::*;
use ovs_sim as stub;

/// What OVSDB answers for a port with a guest and one that waits, on one bridge.
pub(crate) fn answer() -> Value {
    let uuid = |number: u32| json!(["uuid", format!("{number:08}-0000-0000-0000-000000000000")]);
    let ids = |pod: &str, device: &str| {
        json!([
            "map",
            [
                ["vhostuser-owner", "network-vhostuser-binding"],
                ["vhostuser-network", "blue"],
                ["vhostuser-ifname", "net1"],
                ["vhostuser-device", device],
                ["pod-namespace", "ns"],
                ["pod-name", pod]
            ]
        ])
    };
    json!([
        {"rows": [{"name": "br1", "datapath_type": "netdev", "ports": ["set", [uuid(1), uuid(2), uuid(3)]]}]},
        {"rows": [{"_uuid": uuid(1), "interfaces": uuid(11)}, {"_uuid": uuid(2), "interfaces": uuid(12)}]},
        {"rows": [
            {"_uuid": uuid(12), "name": "vhub", "ofport": 2, "error": ["set", []], "mtu": ["set", []],
             "link_state": "down", "status": ["map", [["status", "disconnected"]]],
             "statistics": ["map", [["rx_packets", 0]]], "external_ids": ids("dpdk", "s-1")},
            {"_uuid": uuid(11), "name": "vhua", "ofport": 1, "error": ["set", []], "mtu": 9000,
             "link_state": "up", "status": ["map", [["num_of_vrings", "6"], ["status", "connected"]]],
             "statistics": ["map", [["rx_packets", 1], ["rx_bytes", 2], ["rx_dropped", 3], ["rx_errors", 4],
                                    ["tx_packets", 5], ["tx_bytes", 6], ["tx_dropped", 7], ["tx_errors", 8],
                                    ["ovs_tx_retries", 9]]],
             "external_ids": ids("virt-launcher-my-vm-x7k2p", "s-0")},
        ]},
    ])
}

#[test]
fn reads_ports_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let socket = stub::answer(dir.path(), vec![answer()]);
    let ports = read(&socket, stub::soon()).unwrap();
    let statistics = [
        ("ovs_tx_retries", 9),
        ("rx_bytes", 2),
        ("rx_dropped", 3),
        ("rx_errors", 4),
        ("rx_packets", 1),
        ("tx_bytes", 6),
        ("tx_dropped", 7),
        ("tx_errors", 8),
        ("tx_packets", 5),
    ];
    let text = str::to_owned;
    let first = Port {
        namespace: text("ns"),
        pod: text("virt-launcher-my-vm-x7k2p"),
        nad: text("blue"),
        interface: text("net1"),
        vm: text("my-vm"),
        bridge: text("br1"),
        port: text("vhua"),
        device: text("s-0"),
        state: State::Connected,
        mtu: Some(9000),
        queue_pairs: Some(3),
        statistics: statistics.map(|(key, value)| (text(key), value)).into(),
    };
    let second = Port {
        pod: text("dpdk"),
        vm: String::new(),
        port: text("vhub"),
        device: text("s-1"),
        state: State::WaitingForGuest,
        mtu: None,
        queue_pairs: None,
        statistics: [(text("rx_packets"), 0)].into(),
        ..first.clone()
    };
    assert_eq!(ports, [first, second]);
}

#[test]
fn tells_what_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let error = read(&dir.path().join("db.sock"), stub::soon()).unwrap_err();
    assert!(matches!(error, OvsdbError::Missing(_)), "{error}");
    let socket = stub::answer(dir.path(), vec![json!([{"rows": [{}]}, {"rows": []}, {"rows": []}])]);
    let error = read(&socket, stub::soon()).unwrap_err();
    assert!(error.to_string().contains("column name: is missing"), "{error}");
}

#[test]
fn the_state_is_what_the_guest_would_say() {
    let interface = |status: &str, link: Option<&str>, ofport, error: Option<&str>| Interface {
        uuid: Uuid::parse("00000000-0000-0000-0000-000000000000").unwrap(),
        name: String::new(),
        ofport: Some(ofport),
        error: error.map(str::to_owned),
        mtu: None,
        link_state: link.map(str::to_owned),
        status: BTreeMap::from([("status".to_owned(), status.to_owned())]),
        statistics: BTreeMap::new(),
        external_ids: BTreeMap::new(),
    };
    for (status, link, ofport, error, state) in [
        ("connected", Some("up"), 1, None, State::Connected),
        ("connected", Some("down"), 1, None, State::LinkDown),
        ("connected", None, 1, None, State::LinkDown),
        ("disconnected", Some("down"), 1, None, State::WaitingForGuest),
        ("connected", Some("up"), -1, None, State::Failed),
        ("connected", Some("up"), 1, Some("no"), State::Failed),
    ] {
        assert_eq!(
            interface(status, link, ofport, error).state(),
            state,
            "{status} {link:?} {ofport} {error:?}"
        );
    }
}

#[test]
fn a_launchers_name_tells_the_vm() {
    let longest = format!("virt-launcher-{}-x7k2p", "v".repeat(43));
    for (pod, vm) in [
        ("virt-launcher-vm-x7k2p", Some("vm")),
        ("virt-launcher-my-vm-2-bcdfg", Some("my-vm-2")),
        ("virt-launcher-virt-launcher-a-24567", Some("virt-launcher-a")),
        ("virt-launcher-vm.example-zzzzz", Some("vm.example")),
        (longest.as_str(), Some("vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv")),
        // Cut by Kubernetes: the hyphen before its characters is gone.
        ("virt-launcher-vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvx7k2p", None),
        ("virt-launcher-vm", None),
        ("virt-launcher-vm-", None),
        ("virt-launcher--x7k2p", None),
        ("virt-launcher-x7k2p", None),
        ("virt-launcher-vm-x7k2", None),
        ("virt-launcher-vm-x7k2pp", None),
        // No vowels, no 0, 1 and 3: Kubernetes has no such characters there.
        ("virt-launcher-vm-aeiou", None),
        ("virt-launcher-vm-x7k1p", None),
        ("hp-volume-vm-x7k2p", None),
        ("", None),
    ] {
        assert_eq!(vm_of(pod), vm, "{pod}");
    }
}
