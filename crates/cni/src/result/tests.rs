use serde_json::json;

use super::*;
use crate::environment::Args;
use vocabulary::HostDir;

fn target() -> Target {
    let attachment = crate::environment::Attachment { container: "c1".to_owned(), ifname: "net1".to_owned() };
    Target { attachment, netns: "/run/netns/c1".to_owned(), args: Args::default() }
}

fn socket() -> SocketPath {
    "/run/vhu".parse::<HostDir>().unwrap().socket(&"ovs-0".parse().unwrap()).unwrap()
}

fn interface<'r>(target: &'r Target, socket: &'r SocketPath, asked: bool) -> Interface<'r> {
    Interface {
        name: &target.attachment.ifname,
        sandbox: &target.netns,
        mac: asked.then(|| "02:00:00:00:00:01".parse().unwrap()),
        mtu: asked.then(|| Mtu::try_from(9000).unwrap()),
        socket,
    }
}

#[test]
fn each_version_gets_its_own_form() {
    let (target, socket) = (target(), socket());
    let interface = interface(&target, &socket, true);
    let ipam =
        br#"{"ips":[{"address":"10.0.0.2/24","version":"4","gateway":"10.0.0.1"},{"address":"fd00::2/64"}],
        "routes":[{"dst":"0.0.0.0/0"}],"dns":{"nameservers":["10.0.0.1"]}}"#;
    let addresses = Addresses::parse(ipam).unwrap();
    let old_ips = json!([
        {"address": "10.0.0.2/24", "gateway": "10.0.0.1", "interface": 0, "version": "4"},
        {"address": "fd00::2/64", "interface": 0, "version": "6"},
    ]);
    let new_ips = json!([
        {"address": "10.0.0.2/24", "gateway": "10.0.0.1", "interface": 0}, {"address": "fd00::2/64", "interface": 0},
    ]);
    let base = json!({"name": "net1", "sandbox": "/run/netns/c1", "mac": "02:00:00:00:00:01"});
    let with = |extra: Value| {
        let mut interface = base.clone();
        interface.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        interface
    };
    for (version, name, interface_json, ips) in [
        (Version::V0_3_1, "0.3.1", base.clone(), &old_ips),
        (Version::V0_4_0, "0.4.0", base.clone(), &old_ips),
        (Version::V1_0_0, "1.0.0", with(json!({"mtu": 9000})), &new_ips),
        (
            Version::V1_1_0,
            "1.1.0",
            with(json!({"mtu": 9000, "socketPath": "/run/vhu/ovs-0/pod/vhost.sock"})),
            &new_ips,
        ),
    ] {
        assert_eq!(
            interface.result(version, Some(&addresses), None),
            json!({"cniVersion": name, "interfaces": [interface_json], "ips": ips,
                "routes": [{"dst": "0.0.0.0/0"}], "dns": {"nameservers": ["10.0.0.1"]}})
        );
    }
}

#[test]
fn what_was_not_asked_for_is_not_there() {
    let (target, socket) = (target(), socket());
    let interface = interface(&target, &socket, false);
    assert_eq!(
        interface.result(Version::V1_0_0, None, Some(&json!({"nameservers": []}))),
        json!({"cniVersion": "1.0.0", "interfaces": [{"name": "net1", "sandbox": "/run/netns/c1"}]})
    );
    assert_eq!(
        interface.result(Version::V1_0_0, None, Some(&json!({"domain": "x"})))["dns"],
        json!({"domain": "x"})
    );
}

#[test]
fn an_earlier_result_is_compared() {
    let (target, socket) = (target(), socket());
    let interface = interface(&target, &socket, true);
    let compare = |result: Value| interface.deviations(Version::V1_1_0, &result).join("; ");
    let mut result = interface.result(Version::V1_1_0, None, None);
    // What later plugins of the chain add.
    result["interfaces"].as_array_mut().unwrap().push(json!({"name": "veth0"}));
    assert_eq!(compare(result.clone()), "");
    result["interfaces"][0]["mtu"] = json!(1500);
    result["interfaces"][0]["sandbox"] = json!("/other");
    assert_eq!(
        compare(result),
        "prevResult's interface has mtu 1500, should be 9000; prevResult's interface has sandbox \"/other\", should be \
         \"/run/netns/c1\""
    );
    assert_eq!(compare(json!({})), "prevResult has no interface \"net1\"");
}
