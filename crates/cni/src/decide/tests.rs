use serde_json::json;

use super::*;
use crate::{
    found::Found,
    port::tests::{made, uuid, wish},
};
use ovs::rows::{Bridge, OpenVSwitch};
use vocabulary::SocketMode;

fn attachment(container: &str, ifname: &str) -> Attachment {
    Attachment { container: container.to_owned(), ifname: ifname.to_owned() }
}

fn fresh(datapath_type: Option<&str>) -> Found {
    let bridge =
        |kind: &str| Bridge { uuid: uuid(8), name: "br1".to_owned(), datapath_type: kind.to_owned() };
    let switch = OpenVSwitch { next_cfg: 1, cur_cfg: 1, dpdk_initialized: true };
    Found { switch: Some(switch), bridge: datapath_type.map(bridge), ..Found::default() }
}

fn refusal(result: Result<Decision, CniError>) -> (u64, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn a_port_is_made_where_none_is() {
    let plain = wish(SocketMode::Server, &json!({}));
    let creating = wish(SocketMode::Server, &json!({"createBridge": true}));
    let decide = |wish: &Wish, found: &Found| decide(wish, &attachment("c1", "net1"), found);
    assert_eq!(decide(&plain, &fresh(Some("netdev"))).unwrap(), Decision::Create { with_bridge: false });
    assert_eq!(decide(&creating, &fresh(Some("netdev"))).unwrap(), Decision::Create { with_bridge: false });
    assert_eq!(decide(&creating, &fresh(None)).unwrap(), Decision::Create { with_bridge: true });
    assert_eq!(
        refusal(decide(&plain, &fresh(None))),
        (
            103,
            "OVS has no bridge 'br1': create it with datapath_type=netdev, correct the NAD's `bridge`, or allow this \
             plugin to create it (createBridge)"
                .to_owned()
        )
    );
    assert_eq!(
        refusal(decide(&creating, &fresh(Some("system")))),
        (
            103,
            "bridge 'br1' has datapath_type 'system': vhost-user ports need 'netdev', the userspace datapath"
                .to_owned()
        )
    );
    let mut without_dpdk = fresh(Some("netdev"));
    without_dpdk.switch.as_mut().unwrap().dpdk_initialized = false;
    assert!(refusal(decide(&plain, &without_dpdk)).1.starts_with("OVS runs without DPDK: "));
    without_dpdk.switch = None;
    assert_eq!(refusal(decide(&plain, &without_dpdk)).0, 103);
}

#[test]
fn a_repeated_add_changes_nothing() {
    let wish = wish(SocketMode::Server, &json!({"vlan": 5}));
    assert_eq!(decide(&wish, &attachment("c1", "net1"), &made(&wish)).unwrap(), Decision::Keep);
}

#[test]
fn a_repeated_add_with_another_configuration_is_refused() {
    let found = made(&wish(SocketMode::Server, &json!({"vlan": 5})));
    let (code, text) =
        refusal(decide(&wish(SocketMode::Server, &json!({"vlan": 6})), &attachment("c1", "net1"), &found));
    assert_eq!(code, 100);
    assert_eq!(
        text,
        "interface 'net1' of container 'c1' is attached already, and otherwise: VLANs are access (tag 5, trunks []), \
         should be access (tag 6, trunks []); DEL it first"
    );
}

#[test]
fn another_owner_is_named() {
    let wish = wish(SocketMode::Server, &json!({}));
    let mut found = made(&wish);
    found.of_attachment.clear();
    let ids = &mut found.port.as_mut().unwrap().port.external_ids;
    ids.extend([("pod-namespace", "ns"), ("pod-name", "vm")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    for other in [attachment("c2", "net1"), attachment("c1", "net2")] {
        let (code, text) = refusal(decide(&wish, &other, &found));
        assert_eq!(code, 100);
        assert_eq!(
            text,
            "port vhud606cb2b495 of this device belongs to interface 'net1' of container 'c1' (pod 'ns/vm', network \
             'blue'): it becomes free when the runtime detaches that one (DEL or GC); if that container no longer exists, \
             remove the port (ovs-vsctl del-port vhud606cb2b495)"
        );
    }
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let wish = wish(SocketMode::Server, &json!({}));
    let mut found = made(&wish);
    found.of_attachment.clear();
    found.port.as_mut().unwrap().port.external_ids.clear();
    let (code, text) = refusal(decide(&wish, &attachment("c1", "net1"), &found));
    assert_eq!(code, 100);
    assert!(text.contains("exists on bridge 'br1' and was not made by this plugin"), "{text}");
    found.port = None;
    let (code, text) = refusal(decide(&wish, &attachment("c1", "net1"), &found));
    assert_eq!(code, 100);
    assert!(
        text.starts_with("interface vhud606cb2b495 of this device exists in a port of another name"),
        "{text}"
    );
}

#[test]
fn an_attachment_has_one_port() {
    let wish = wish(SocketMode::Server, &json!({}));
    let mut found = fresh(Some("netdev"));
    found.of_attachment = made(&wish).of_attachment;
    found.of_attachment[0].name = "vhu00000000000".to_owned();
    let (code, text) = refusal(decide(&wish, &attachment("c1", "net1"), &found));
    assert_eq!(code, 100);
    assert_eq!(
        text,
        "interface 'net1' of container 'c1' is attached already, by port 'vhu00000000000' with another device: DEL it \
         first"
    );
}
