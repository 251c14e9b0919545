use proptest::prelude::*;

use expect_test::expect;

use super::*;
use names::DirMode;
use node::socketdir::{Access, Owner};
use std::collections::BTreeSet;
use vocabulary::{ComputePath, DeviceId, SocketMode};

const WHOLE: &str = "
domain: vhostuser.network
sockets:
  hostRoot: /run/vhostuser
  containerRoot: /run/vhu
  owner: {uid: 1000, gid: 1001}
  mode: \"0750\"
  switchUser: 998
  selinuxLabel: system_u:object_r:container_file_t:s0
  limits: {bytes: 4096, files: 8}
switches:
  - {name: ovs, ovsdb: /run/ovs/db.sock, bridge: br-phy, sockets: /run/ovs}
resources:
  - {name: sockets, ports: 3, mode: server, switch: ovs}
  - {name: listening, ports: 1, mode: client, switch: ovs}
dataplane: {name: dataplane}
";

fn mistakes(yaml: &str) -> String {
    Config::parse(yaml).unwrap_err().to_string()
}

#[test]
fn reads_the_whole() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.domain.as_str(), "vhostuser.network");
    assert_eq!(
        config.sockets,
        Sockets {
            host_root: "/run/vhostuser".parse().unwrap(),
            container_root: ComputePath::directory("/run/vhu").unwrap(),
            access: Access { owner: Owner { uid: 1000, gid: 1001 }, mode: 0o750, switch_user: Some(998) },
            label: Some("system_u:object_r:container_file_t:s0".parse().unwrap()),
            limits: Limits { bytes: 4096, files: 8 },
        }
    );
    assert_eq!(config.resources[1].mode, SocketMode::Client);
    assert_eq!(config.full_name(&config.resources[0].name), "vhostuser.network/sockets");
    assert_eq!(config.dataplane.unwrap().as_str(), "dataplane");
    let ids: Vec<_> = config.resources[0].devices().map(|id| id.to_string()).collect();
    assert_eq!(ids, ["sockets-0", "sockets-1", "sockets-2"]);
    assert!(config.resources[0].devices().all(|id| config.resources[0].has(&id)));
    for other in ["sockets-3", "sockets-01", "sockets", "sockets-0-0", "listening-0", "sockets--1"] {
        assert!(other.parse().is_ok_and(|id| !config.resources[0].has(&id)), "{other}");
    }
}

#[test]
fn has_defaults() {
    let config = Config::parse(
        "{domain: a.b, switches: [{name: ovs, bridge: br}], resources: [{name: s, ports: 1, mode: server, switch: ovs}]}",
    )
    .unwrap();
    assert_eq!(
        config.sockets,
        Sockets {
            host_root: "/var/run/vhostuser".parse().unwrap(),
            container_root: ComputePath::directory("/var/run/vhostuser").unwrap(),
            access: Access { owner: Owner { uid: 107, gid: 107 }, mode: 0o770, switch_user: None },
            label: None,
            limits: Limits { bytes: 65536, files: 32 },
        }
    );
    assert_eq!(config.switches[0].ovsdb.to_string(), "/var/run/openvswitch/db.sock");
    assert_eq!(config.dataplane, None);
}

#[test]
fn every_mistake_is_in_one_message() {
    let found = mistakes(
        "
domain: vhostuser
sockets: {hostRoot: run, mode: 770, owner: {uid: -1}, selinuxLabel: x, limits: {files: 1}, size: 3}
switches:
  - {name: ovs, bridge: a b}
resources:
  - {name: Sockets, ports: 0, mode: both}
  - {name: listening, ports: 1, mode: client, switch: other}
extra: 1
",
    );
    expect![[r#"
        field 'extra' is not known, only domain, sockets, switches, resources, dataplane
        domain: 'vhostuser' is not a valid domain (example: vhostuser.network)
        sockets: field 'size' is not known, only hostRoot, containerRoot, owner, mode, switchUser, selinuxLabel, limits
        sockets.hostRoot: path 'run' is not absolute
        sockets.mode: must be a text
        sockets.owner.uid: '-1' must be a whole number from 0 to 4294967294
        sockets.limits.files: '1' must be a whole number from 4 to 1024
        sockets.selinuxLabel: 'x' is no SELinux label: it is user:role:type:level, such as system_u:object_r:container_file_t:s0
        switches[0].bridge: 'a b' is not a valid name: printable characters without space and '/'
        resources[0].name: 'Sockets' is not a valid resource name: 1 to 40 lower-case letters, digits and '-', starting and ending with a letter or digit
        resources[0].ports: '0' must be a whole number from 1 to 4096
        resources[0].mode: 'both' is not a valid socket mode: use 'server' (guest listens, switch connects) or 'client' (guest connects, switch listens)
        resources[0].switch: is missing
        resources[1].switch: 'other' is not the name of a switch
    "#]].assert_eq(&(found.replace("; ", "\n") + "\n"));
}

#[test]
fn names_and_references_must_fit() {
    let with = |resources: &str| {
        mistakes(&format!(
            "{{domain: a.b, switches: [{{name: ovs, bridge: br}}], resources: {resources}, dataplane: {{name: s}}}}"
        ))
    };
    assert_eq!(with("[{name: s, ports: 1, mode: server, switch: ovs}]"), "resources: duplicate name 's'");
    assert_eq!(
        with("[{name: c, ports: 1, mode: client, switch: ovs}]"),
        "resources[0].mode: 'client' (switch listens) needs the field 'sockets' of switch 'ovs'"
    );
    expect!["domain: 'x.kubernetes.io' belongs to Kubernetes: use your own domain; resources: is empty: configure at least one resource or the dataplane"].assert_eq(&mistakes("{domain: x.kubernetes.io}"));
    // One mistake hides no other, and makes none.
    assert_eq!(
        mistakes(
            "{domain: b, switches: [{name: ovs}], resources: [{name: s, ports: 1, mode: server, switch: ovs}], \
             dataplane: 5}"
        ),
        "domain: 'b' is not a valid domain (example: vhostuser.network); switches[0].bridge: is missing; dataplane: must be an \
         object"
    );
    assert_eq!(mistakes("{domain: a.b, resources: 5}"), "resources: must be a list");
    assert_eq!(
        mistakes(
            "{domain: a.b, sockets: {hostRoot: /run}, switches: [{name: o, bridge: b, sockets: /run/ovs}], \
             resources: [{name: s, ports: 4096, mode: server, switch: o}, {name: t, ports: 1, mode: client, switch: o}]}"
        ),
        "resources: 4097 ports in total: a node can have at most 4096; sockets.hostRoot: must be neither inside nor \
         above /run/ovs, where a switch creates its sockets"
    );
    assert_eq!(
        mistakes("{domain: a.b, sockets: {hostRoot: /}, dataplane: {name: d}}"),
        "sockets.hostRoot: must be a dedicated directory"
    );
    assert_eq!(mistakes("[]"), "must be an object");
    assert!(mistakes("a: [").starts_with("not valid YAML: "));
}

#[test]
fn a_mode_leaves_others_out() {
    for bad in ["0777", "0771", "0677", "1770", "abc", "", "+770", "0800"] {
        assert!(bad.parse::<DirMode>().is_err(), "{bad}");
    }
    assert_eq!("0750".parse::<DirMode>().map(|mode| mode.0), Ok(0o750));
}

#[test]
fn paths_too_long_for_a_socket_are_told_before_anything_is_made() {
    let yaml = WHOLE.replace("/run/vhostuser", &format!("/{}", "d".repeat(90)));
    let told = mistakes(&yaml);
    assert!(
        told.contains("has 116 bytes, more than the 107 of a unix socket; sockets.hostRoot: path "),
        "{told}"
    );
}

proptest! {
    /// Ids are distinct between resources whatever these are called, and each is a safe file name.
    #[test]
    fn ids_never_collide(a in "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", b in "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?") {
        prop_assume!(a != b);
        let ports = |name: &str| Ports { name: name.parse().unwrap(), count: 20, mode: SocketMode::Server, switch: 0 };
        let ids: Vec<_> = ports(&a).devices().chain(ports(&b).devices()).collect();
        prop_assert_eq!(ids.len(), 40);
        let distinct: BTreeSet<_> = ids.iter().collect();
        prop_assert_eq!(distinct.len(), 40);
        let port_names: BTreeSet<_> = ids.iter().map(DeviceId::port_name).collect();
        prop_assert_eq!(port_names.len(), 40);
    }

    /// Any values in any of the known places.
    #[test]
    fn nothing_panics(
        values in prop::collection::vec(value(), 5),
        switch in prop::collection::btree_map("name|ovsdb|bridge|sockets", value(), 0..5),
        ports in prop::collection::btree_map("name|ports|mode|switch", value(), 0..5),
    ) {
        let keys = ["domain", "sockets", "switches", "resources", "dataplane"];
        let whole: serde_json::Map<_, _> = keys.iter().map(|key| (*key).to_owned()).zip(values).collect();
        let _ = Config::parse(&Value::Object(whole).to_string());
        let parts = serde_json::json!({"domain": "a.b", "switches": [switch], "resources": [ports]});
        let _ = Config::parse(&parts.to_string());
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        prop_oneof!["[a-z/.-]{0,12}", "server|client|ovs|a.b|/run/x"].prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let keys = "name|hostRoot|owner|uid|gid|mode|limits|bytes|files|switchUser|[a-z]{1,4}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
