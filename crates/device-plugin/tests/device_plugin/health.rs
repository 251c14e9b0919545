//! A switch that goes.

use std::{collections::BTreeSet, os::unix::net::UnixListener, path::Path, time::Duration};

use tokio::time::sleep;

use crate::{
    node::{DATAPLANE, LISTENING, Node, OVSDB, SOCKETS, set},
    ovsdb::Ovsdb,
    own_mounts::alone,
    plugin::until,
};

#[tokio::test]
async fn devices_follow_their_switch_but_not_at_once() {
    alone("health::devices_follow_their_switch_but_not_at_once", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        let vm = node.kubelet.allocate("vm-1", SOCKETS, 1).await.unwrap();
        let lists = |node: &Node| [SOCKETS, LISTENING, DATAPLANE].map(|name| node.kubelet.lists(name));
        let before = lists(&node);

        // A restart.
        node.ovsdb = None;
        sleep(Duration::from_secs(3)).await;
        until("it is noticed", || plugin.metric("switch_up{switch=\"ovs\"}") == 0).await;
        node.start_switch();
        until("it is there again", || plugin.metric("switch_up{switch=\"ovs\"}") == 1).await;
        assert_eq!(lists(&node), before, "nothing was told");

        // Gone for long.
        node.ovsdb = None;
        let nothing = BTreeSet::new();
        until("the devices are unhealthy", || node.kubelet.healthy(LISTENING) == nothing).await;
        assert_eq!(node.kubelet.healthy(SOCKETS), vm.ids, "a pod has it");
        assert_eq!(node.kubelet.healthy(DATAPLANE), set(&["dataplane"]), "the switch needs it to come back");
        let unhealthy = format!("devices{{resource=\"{SOCKETS}\",health=\"unhealthy\"}}");
        assert_eq!(plugin.metric(&unhealthy), 2);
        let error = node.kubelet.allocate("vm-2", SOCKETS, 1).await.unwrap_err();
        assert_eq!(
            error,
            format!("requested number of devices unavailable for {SOCKETS}. Requested: 1, Available: 0")
        );

        node.start_switch();
        node.listened_to().await;
        node.kubelet.allocate("vm-2", SOCKETS, 2).await.unwrap();
        plugin.stop().await;
    })
    .await;
}

/// A roll-out must not offer devices on a node whose switch cannot take a port: pods would be bound to it for ever.
#[tokio::test]
async fn without_a_switch_no_device_is_ever_healthy() {
    alone("health::without_a_switch_no_device_is_ever_healthy", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        let vm = node.kubelet.allocate("vm", SOCKETS, 1).await.unwrap();
        plugin.stop().await;
        until("the kubelet has noticed", || !node.kubelet.listens(SOCKETS)).await;
        node.ovsdb = None;
        let mut plugin = node.plugin();
        plugin.ready().await;
        until("the kubelet has the lists", || {
            [SOCKETS, LISTENING].iter().all(|name| node.kubelet.lists(name) > 0)
        })
        .await;
        assert_eq!(node.kubelet.healthy(SOCKETS), vm.ids, "a pod has it");
        assert_eq!(node.kubelet.healthy(LISTENING), BTreeSet::new());
        assert_eq!(
            [SOCKETS, LISTENING].map(|name| node.kubelet.lists(name)),
            [1, 1],
            "from the first list on"
        );
        node.start_switch();
        node.listened_to().await;
        plugin.stop().await;
    })
    .await;
}

/// The database answers, and says of the bridge what it should: that is not yet a switch that can take a port.
#[tokio::test]
async fn a_switch_that_cannot_take_a_port_has_no_healthy_device() {
    alone("health::a_switch_that_cannot_take_a_port_has_no_healthy_device", async {
        let mut node = Node::new().await;
        let control = Path::new(OVSDB).with_file_name("ovs-vswitchd.ctl");
        for (dpdk, vswitchd, hung, reason) in [
            (false, true, false, "OVS runs without DPDK"),
            (true, false, false, "no ovs-vswitchd serves this database"),
            // Accepts and never answers, as after `kill -STOP`. The database is not to blame.
            (true, true, true, "ovs-vswitchd does not answer: "),
        ] {
            let _hung = hung.then(|| UnixListener::bind(&control).unwrap());
            node.ovsdb = None;
            node.ovsdb = Some(Ovsdb::start_with(Path::new(OVSDB), &[1], (dpdk, vswitchd), &node.database));
            let mut plugin = node.plugin();
            plugin.ready().await;
            until("the kubelet has the list", || node.kubelet.lists(SOCKETS) == 1).await;
            assert_eq!(node.kubelet.healthy(SOCKETS), BTreeSet::new());
            assert_eq!(plugin.metric("switch_up{switch=\"ovs\"}"), 0);
            let reported = plugin
                .events()
                .into_iter()
                .any(|event| event["reason"].as_str().is_some_and(|text| text.starts_with(reason)));
            assert!(reported, "{}", plugin.stderr());
            plugin.stop().await;
            until("the kubelet has noticed", || !node.kubelet.listens(SOCKETS)).await;
        }
    })
    .await;
}

/// A kubelet that has just started knows of no pods while the API server is away. None of them loses its directory, or its
/// device's health.
#[tokio::test]
async fn a_kubelet_that_knows_of_no_pods_frees_nothing() {
    alone("health::a_kubelet_that_knows_of_no_pods_frees_nothing", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        let vm = node.kubelet.allocate("vm", SOCKETS, 1).await.unwrap();
        std::fs::write("/run/vhostuser/sockets-0/pod/vhost.sock", "in use").unwrap();
        let metric = format!("devices_allocated{{resource=\"{SOCKETS}\"}}");
        until("it knows what is in use", || plugin.metric(&metric) == 1).await;
        node.ovsdb = None;
        until("free devices are unhealthy", || node.kubelet.healthy(SOCKETS).len() < 3).await;
        node.kubelet.be_ignorant(true);
        // Longer than the time between two lists.
        sleep(Duration::from_secs(11)).await;
        assert!(node.kubelet.healthy(SOCKETS).is_superset(&vm.ids));
        assert_eq!(plugin.metric(&metric), 1);
        assert_eq!(std::fs::read_to_string("/run/vhostuser/sockets-0/pod/vhost.sock").unwrap(), "in use");
        plugin.stop().await;
    })
    .await;
}
