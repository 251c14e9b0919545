use std::path::Path;

use serde_json::json;

use super::*;

fn nic(config: &Value) -> Result<(Network, Nic), CniError> {
    Nic::parse(config)
}

#[test]
fn reads_a_whole_configuration() {
    let (network, nic) = nic(&json!({
        "cniVersion": "1.1.0", "name": "blue", "type": "vhostuser",
        "capabilities": {"CNIDeviceInfoFile": true, "deviceID": true, "mac": true, "bandwidth": false},
        "ipam": {"type": "host-local"}, "dns": {"nameservers": ["::1"]}, "args": {"cni": {}},
        "runtimeConfig": {"deviceID": "x", "what": "ever"}, "deviceID": "x", "pciBusID": "x",
        "cni.dev/valid-attachments": [],
        "bridge": "br1", "createBridge": true, "ovsdb": "/run/ovs//db.sock", "socketRoot": "/run/vhu/",
        "mode": "client", "group": 107, "vlan": 7, "mtu": 9000, "toGuestKbit": 1000, "applicationFile": true,
        "timeout": 9,
    }))
    .unwrap();
    assert_eq!((network.name.as_str(), network.ipam.as_deref()), ("blue", Some("host-local")));
    assert_eq!(network.ovsdb.as_ref(), Path::new("/run/ovs/db.sock"));
    assert_eq!(network.ovsdb.run_dir(), Path::new("/run/ovs"));
    assert_eq!(network.root.to_string(), "/run/vhu");
    assert_eq!(network.timeout, Duration::from_secs(9));
    assert_eq!((nic.bridge.as_str(), nic.mode, nic.group), ("br1", Some(SocketMode::Client), Some(107)));
    assert!(nic.create_bridge && nic.application_file && nic.to_guest.is_some() && nic.from_guest.is_none());
    assert_eq!((nic.vlan, nic.mtu.unwrap().bytes()), (Vlan::Access(7), 9000));
}

#[test]
fn little_is_needed() {
    let (network, nic) = nic(&json!({"name": "blue", "bridge": "br1"})).unwrap();
    assert_eq!(network.ovsdb.as_ref(), Path::new("/var/run/openvswitch/db.sock"));
    assert_eq!(network.root.to_string(), "/var/run/vhostuser");
    assert_eq!((network.timeout, network.ipam), (Duration::from_secs(20), None));
    assert_eq!((nic.vlan, nic.mtu, nic.mode, nic.group), (Vlan::All, None, None, None));
    assert!(!nic.create_bridge && !nic.application_file);
}

#[test]
fn tells_every_mistake_in_one_message() {
    let error = nic(&json!({
        "name": "a b", "bridge": "br/1", "ovsdb": "db.sock", "socketRoot": "/a/../b", "mode": "both", "group": -1,
        "vlan": 5000, "mtu": 1, "toGuestKbit": "1M", "fromGuestBurstKbit": 9, "createBridge": "yes", "timeout": 0,
        "ipam": {"type": "/bin/sh"}, "capabilities": {"bandwidth": true}, "bridgeName": "x",
    }))
    .unwrap_err();
    assert_eq!(error.code(), 7);
    assert_eq!(
        error.to_string(),
        "network configuration: capabilities: 'bandwidth' is not known, only CNIDeviceInfoFile, deviceID, mac, ips, \
         ipRanges, dns; name: 'a b' is no network's name: a letter or digit, then letters, digits, '_', '.' and '-'; \
         ovsdb: path 'db.sock' is not absolute; socketRoot: path '/a/../b' contains '..'; ipam.type: '\"/bin/sh\"' is no \
         plugin's name; timeout: '0' must be a whole number from 1 to 100; bridge: 'br/1' is no bridge's name; mode: \
         'both' is not a valid socket mode: use 'server' (guest listens, switch connects) or 'client' (guest connects, switch \
         listens); mtu: '1' must be a whole number from 68 to 9702; vlan: '5000' must be a whole number from 0 to 4094; \
         createBridge: must be true or false; group: '-1' must be a whole number from 0 to 4294967294; toGuestKbit: \
         '\"1M\"' must be a whole number from 1 to 4294967295; fromGuestBurstKbit: needs fromGuestKbit; not known: \
         'bridgeName' with value '\"x\"'; beside those of the CNI there are bridge, createBridge, ovsdb, socketRoot, \
         mode, group, vlan, trunk, nativeVlan, mtu, toGuestKbit, toGuestBurstKbit, fromGuestKbit, fromGuestBurstKbit, \
         applicationFile, timeout"
    );
}

#[test]
fn unknown_fields_alone_have_a_code_of_their_own() {
    let error = nic(&json!({"name": "blue", "bridge": "br1", "ingressRate": 1000000})).unwrap_err();
    assert_eq!(error.code(), 2);
    assert!(error.to_string().contains("'ingressRate' with value '1000000'"), "{error}");
}

#[test]
fn what_is_missing_is_told() {
    let error = nic(&json!({})).unwrap_err();
    assert_eq!(error.to_string(), "network configuration: name: is missing; bridge: is missing");
    let error =
        nic(&json!({"name": "a", "bridge": "b", "ipam": [], "capabilities": 1, "vlan": null})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "network configuration: capabilities: must be an object; ipam: must be an object"
    );
}

#[test]
fn an_ipam_section_may_be_empty() {
    for ipam in [json!({}), json!({"type": ""}), json!({"type": null}), json!(null)] {
        let (network, _) = nic(&json!({"name": "a", "bridge": "b", "ipam": ipam})).unwrap();
        assert_eq!(network.ipam, None);
    }
}

/// A pod whose NAD has become invalid must still be torn down.
#[test]
fn del_reads_only_what_it_needs() {
    let config = json!({"name": "blue", "vlan": 5000, "unknown": 1, "capabilities": 5});
    assert_eq!(Network::parse(&config).unwrap().name, "blue");
    let error = Network::parse(&json!({"name": "blue", "ovsdb": 5})).unwrap_err();
    assert_eq!(error.to_string(), "network configuration: ovsdb: must be a text");
}

#[test]
fn a_socket_path_that_ovs_would_cut_is_refused() {
    let long = format!("/{}/db.sock", "d".repeat(100));
    let error = nic(&json!({"name": "a", "bridge": "b", "ovsdb": long})).unwrap_err();
    assert!(error.to_string().contains("has 109 bytes, more than the 107"), "{error}");
}

#[test]
fn the_version_comes_first() {
    assert_eq!(version(&json!({"cniVersion": "0.4.0"})).unwrap(), Version::V0_4_0);
    for (config, code, text) in [
        (
            json!({"cniVersion": "0.2.0"}),
            1,
            "cniVersion '0.2.0' is not supported, only 0.3.1, 0.4.0, 1.0.0, 1.1.0",
        ),
        (json!({}), 1, "cniVersion '0.1.0' is not supported, only 0.3.1, 0.4.0, 1.0.0, 1.1.0"),
        (json!({"cniVersion": 1}), 6, "network configuration: cniVersion is not a text"),
    ] {
        let error = version(&config).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    }
    for (stdin, text) in [
        (
            &b""[..],
            "network configuration: standard input is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        (b"[]", "network configuration: standard input is not a JSON object"),
    ] {
        let error = decode(stdin).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (6, text));
    }
}
