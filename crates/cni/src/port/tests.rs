use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::found::FoundPort;
use ovs::{
    operation::Operation,
    port::Creation,
    rows::{OpenVSwitch, Qos, Table},
    value::Uuid,
};
use vocabulary::HostDir;

pub(crate) fn uuid(last: u8) -> Uuid {
    Uuid::parse(&format!("36bef046-7da7-43a5-905a-c17899216f{last:02x}")).unwrap()
}

/// The wish that a configuration stands for.
pub(crate) fn wish(mode: SocketMode, extra: &Value) -> Wish {
    let mut config = json!({"name": "blue", "bridge": "br1"});
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let (network, nic) = Nic::parse(&config).unwrap();
    let id = "ovs-0".parse().unwrap();
    let socket = network.root.socket(&id).unwrap();
    let ids =
        BTreeMap::from([("vhostuser-owner", "network-vhostuser-binding"), ("vhostuser-container-id", "c1")]);
    let ids = ids.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    let more = [
        ("vhostuser-ifname".to_owned(), "net1".to_owned()),
        ("vhostuser-network".to_owned(), "blue".to_owned()),
    ];
    Wish::new(&id, &nic, mode, socket, ids.chain(more).collect())
}

/// What OVSDB would have after the wish was made.
pub(crate) fn made(wish: &Wish) -> Found {
    let json = |row: Row, extra: Value| {
        let mut row = row.json();
        row.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        row
    };
    let defaults = |row: Value, mut all: Value| {
        all.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
        Row::parse(all).unwrap()
    };
    let none = json!(["set", []]);
    let interface = defaults(
        json(wish.interface(), json!({"_uuid": Datum::from(uuid(2)).json(), "ofport": 5})),
        json!({"error": none, "mtu_request": none, "mtu": none, "ingress_policing_rate": 0, "ingress_policing_burst": 0,
            "link_state": none, "mac_in_use": none, "status": ["map", []], "statistics": ["map", []]}),
    );
    let qos = wish.to_guest.map(|limit| {
        let row = json(
            limit.qos(),
            json!({"_uuid": Datum::from(uuid(3)).json(), "external_ids": ids::datum(&wish.ids).json()}),
        );
        Qos::read(&Row::parse(row).unwrap()).unwrap()
    });
    let own = json!({"_uuid": Datum::from(uuid(1)).json(), "interfaces": Datum::from(uuid(2)).json()});
    let port = defaults(
        json(wish.port(&wish.ids), own),
        json!({"tag": none, "trunks": none, "vlan_mode": none, "qos": none}),
    );
    let port = Port::read(&port).unwrap();
    Found {
        switch: Some(OpenVSwitch { next_cfg: 9, cur_cfg: 9, dpdk_initialized: true }),
        bridge: None,
        of_attachment: vec![port.clone()],
        port: Some(FoundPort { port, qos, bridges: vec!["br1".to_owned()], is_abandoned: false }),
        interface: Some(Interface::read(&interface).unwrap()),
    }
}

fn operations(creation: Creation) -> Vec<Value> {
    creation.operations.into_iter().map(Operation::json).collect()
}

#[test]
fn makes_everything_in_one_transaction() {
    let wish = wish(
        SocketMode::Server,
        &json!({"vlan": 5, "mtu": 9000, "fromGuestKbit": 1000, "toGuestKbit": 2000}),
    );
    let creation = wish.wanted(Path::new("/db.sock"), Some("{}".to_owned())).creation(false);
    assert_eq!(creation.guards, 4);
    let ids = json!([
        "map",
        [
            ["vhostuser-container-id", "c1"],
            ["vhostuser-ifname", "net1"],
            ["vhostuser-network", "blue"],
            ["vhostuser-owner", "network-vhostuser-binding"],
        ]
    ]);
    let port_ids = json!([
        "map",
        [
            ["vhostuser-container-id", "c1"],
            ["vhostuser-ifname", "net1"],
            ["vhostuser-ipam", "{}"],
            ["vhostuser-network", "blue"],
            ["vhostuser-owner", "network-vhostuser-binding"],
        ]
    ]);
    let wait = |table: &str, condition: Value, rows: Value| {
        json!({"op": "wait", "table": table, "where": condition, "columns": ["name"], "until": "==", "rows": rows,
            "timeout": 0})
    };
    let name = "vhud606cb2b495";
    let attachment = json!([
        "map",
        [
            ["vhostuser-owner", "network-vhostuser-binding"],
            ["vhostuser-container-id", "c1"],
            ["vhostuser-ifname", "net1"]
        ]
    ]);
    assert_eq!(
        operations(creation),
        [
            wait(
                "Bridge",
                json!([["name", "==", "br1"], ["datapath_type", "==", "netdev"]]),
                json!([{"name": "br1"}])
            ),
            wait("Interface", json!([["name", "==", name]]), json!([])),
            wait("Port", json!([["name", "==", name]]), json!([])),
            wait("Port", json!([["external_ids", "includes", attachment]]), json!([])),
            json!({"op": "insert", "table": "Interface", "uuid-name": "interface", "row": {
                "name": name, "type": "dpdkvhostuserclient", "external_ids": ids, "mtu_request": 9000,
                "options": ["map", [["vhost-server-path", "/var/run/vhostuser/ovs-0/pod/vhost.sock"]]],
                "ingress_policing_rate": 1000, "ingress_policing_burst": 8000}}),
            json!({"op": "insert", "table": "QoS", "uuid-name": "qos", "row": {
                "type": "egress-policer", "external_ids": ids,
                "other_config": ["map", [["cbs", "1000000"], ["cir", "250000"]]]}}),
            json!({"op": "insert", "table": "Port", "uuid-name": "port", "row": {
                "name": name, "interfaces": ["named-uuid", "interface"], "external_ids": port_ids,
                "vlan_mode": "access", "tag": 5, "trunks": ["set", []], "qos": ["named-uuid", "qos"]}}),
            json!({"op": "mutate", "table": "Bridge", "where": [["name", "==", "br1"]],
                "mutations": [["ports", "insert", ["named-uuid", "port"]]]}),
            json!({"op": "comment", "comment": format!("vhostuser: plug {name}")}),
            json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [["next_cfg", "+=", 1]]}),
            json!({"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["next_cfg"]}),
        ]
    );
}

#[test]
fn a_listening_port_has_no_path() {
    let operations =
        operations(wish(SocketMode::Client, &json!({})).wanted(Path::new("/db.sock"), None).creation(false));
    let row = &operations[4]["row"];
    assert_eq!((&row["type"], &row["options"]), (&json!("dpdkvhostuser"), &json!(["map", []])));
    assert_eq!(row.get("mtu_request"), None);
    assert_eq!(operations[5]["table"], "Port");
}

#[test]
fn a_new_bridge_comes_with_its_own_port() {
    let creation = wish(SocketMode::Server, &json!({})).wanted(Path::new("/db.sock"), None).creation(true);
    let guards = creation.guards;
    let operations = operations(creation);
    assert_eq!(
        (&operations[0]["where"], &operations[0]["rows"]),
        (&json!([["name", "==", "br1"]]), &json!([]))
    );
    assert_eq!(operations[guards]["row"], json!({"name": "br1", "type": "internal"}));
    assert_eq!(
        operations[guards + 2]["row"],
        json!({"name": "br1", "datapath_type": "netdev", "ports": ["named-uuid", "local_port"],
            "external_ids": ["map", [["vhostuser-owner", "network-vhostuser-binding"]]]})
    );
    assert_eq!(operations[guards + 3]["mutations"], json!([["bridges", "insert", ["named-uuid", "bridge"]]]));
}

#[test]
fn what_was_made_is_what_was_wanted() {
    for mode in [SocketMode::Server, SocketMode::Client] {
        for extra in [
            json!({}),
            json!({"vlan": 5, "mtu": 9000, "fromGuestKbit": 1000, "toGuestKbit": 2000}),
            json!({"trunk": [9, "3-5"], "nativeVlan": 3}),
        ] {
            let wish = wish(mode, &extra);
            assert_eq!(wish.deviations(&made(&wish)), Vec::<String>::new());
        }
    }
}

#[test]
fn tells_each_deviation() {
    let wish = wish(SocketMode::Server, &json!({"mtu": 9000, "toGuestKbit": 2000}));
    let with = |change: fn(&mut Found)| {
        let mut found = made(&wish);
        change(&mut found);
        wish.deviations(&found).join("; ")
    };
    assert_eq!(with(|found| found.port = None), "port vhud606cb2b495 is missing");
    assert_eq!(with(|found| found.interface = None), "interface vhud606cb2b495 is missing");
    assert_eq!(
        with(|found| found.port.as_mut().unwrap().bridges = vec!["br2".to_owned()]),
        "port vhud606cb2b495 is on bridge 'br2', should be on 'br1'"
    );
    assert_eq!(
        with(|found| found.port.as_mut().unwrap().port.interfaces.push(uuid(9))),
        "port vhud606cb2b495 has other interfaces than vhud606cb2b495"
    );
    assert_eq!(
        with(|found| found.port.as_mut().unwrap().port.external_ids.clear()),
        "external_ids:vhostuser-container-id is missing, should be 'c1'; external_ids:vhostuser-ifname is missing, should \
         be 'net1'; external_ids:vhostuser-network is missing, should be 'blue'; external_ids:vhostuser-owner is missing, \
         should be 'network-vhostuser-binding'"
    );
    assert_eq!(
        with(|found| {
            let network =
                |ids: &mut ExternalIds| ids.insert("vhostuser-network".to_owned(), "red".to_owned());
            network(&mut found.port.as_mut().unwrap().qos.as_mut().unwrap().external_ids);
            network(&mut found.interface.as_mut().unwrap().external_ids);
        }),
        "interface: external_ids:vhostuser-network is 'red', should be 'blue'; QoS: external_ids:vhostuser-network is \
         'red', should be 'blue'"
    );
    assert_eq!(
        with(|found| found.port.as_mut().unwrap().port.tag = Some(7)),
        "VLANs are all (tag 7, trunks []), should be all (tag none, trunks [])"
    );
    assert_eq!(
        with(|found| found.port.as_mut().unwrap().qos.as_mut().unwrap().kind = "linux-htb".to_owned()),
        "QoS is linux-htb (cbs=1000000, cir=250000), should be egress-policer (cbs=1000000, cir=250000)"
    );
    assert_eq!(
        with(|found| found.interface.as_mut().unwrap().kind = "dpdk".to_owned()),
        "type is 'dpdk', should be dpdkvhostuserclient"
    );
    assert_eq!(
        with(|found| found.interface.as_mut().unwrap().options.clear()),
        "options:vhost-server-path is '', should be '/var/run/vhostuser/ovs-0/pod/vhost.sock'"
    );
    assert_eq!(
        with(|found| found.interface.as_mut().unwrap().mtu_request = None),
        "mtu_request is none, should be 9000"
    );
    assert_eq!(
        with(|found| found.interface.as_mut().unwrap().ingress_policing_rate = 1),
        "ingress policing is 1 kbit/s (burst 0 kbit), should be 0 (burst 0)"
    );
    assert_eq!(
        with(|found| found.interface.as_mut().unwrap().ingress_policing_kpkts = (3, 4)),
        "ingress policing is 0 kbit/s (burst 0 kbit) and 3 kpackets/s (burst 4 kpackets), should be 0 (burst 0)"
    );
}

/// Frozen with the socket's name: see `vhostuser::DeviceId::port_name`.
#[test]
fn the_path_is_the_hosts() {
    let root: HostDir = "/run/vhu".parse().unwrap();
    let socket = root.socket(&"ovs-0".parse().unwrap()).unwrap();
    let mut wish = wish(SocketMode::Server, &json!({}));
    wish.socket = socket;
    assert_eq!(wish.options()["vhost-server-path"], "/run/vhu/ovs-0/pod/vhost.sock");
}
