//! Being known to the kubelet.

use crate::{
    node::{DATAPLANE, LISTENING, Node, SOCKETS, set},
    own_mounts::alone,
    plugin::until,
};
use kubelet_sim::{Device, DevicePluginOptions, Registration};

fn registration(resource: &str) -> Registration {
    let options = DevicePluginOptions { pre_start_required: false, get_preferred_allocation_available: true };
    Registration {
        version: "v1beta1".to_owned(),
        endpoint: format!("{}.sock", resource.replace('/', "_")),
        resource: resource.to_owned(),
        options,
    }
}

fn by_resource(mut registrations: Vec<Registration>) -> Vec<Registration> {
    registrations.sort_by(|a, b| a.resource.cmp(&b.resource));
    registrations
}

#[tokio::test]
async fn every_resource_is_registered_and_listed() {
    alone("registering::every_resource_is_registered_and_listed", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        let expected = [DATAPLANE, LISTENING, SOCKETS].map(registration);
        assert_eq!(by_resource(node.kubelet.registrations()), expected);
        let device = |id: &str, numa_nodes: &[i64]| Device {
            id: id.to_owned(),
            healthy: true,
            numa_nodes: numa_nodes.to_vec(),
        };
        let sockets = ["sockets-0", "sockets-1", "sockets-2"].map(|id| device(id, &[1]));
        assert_eq!(node.kubelet.devices(SOCKETS), sockets);
        assert_eq!(
            node.kubelet.devices(LISTENING),
            ["listening-0", "listening-1"].map(|id| device(id, &[1]))
        );
        assert_eq!(node.kubelet.devices(DATAPLANE), [device("dataplane", &[])]);

        assert_eq!(plugin.get("/readyz"), (200, "ready\n".to_owned()));
        assert_eq!(plugin.get("/healthz"), (200, "ok\n".to_owned()));
        for (metric, value) in [
            (r#"devices{resource="vhostuser.network/sockets",health="healthy"}"#, 3),
            (r#"devices{resource="vhostuser.network/sockets",health="unhealthy"}"#, 0),
            (r#"devices{resource="vhostuser.network/dataplane",health="healthy"}"#, 1),
            (r#"devices_allocated{resource="vhostuser.network/sockets"}"#, 0),
            (r#"registrations_total{resource="vhostuser.network/sockets"}"#, 1),
            (r#"registration_errors_total{resource="vhostuser.network/sockets"}"#, 0),
            (r#"switch_up{switch="ovs"}"#, 1),
            (concat!(r#"build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""}"#), 1),
        ] {
            assert_eq!(plugin.metric(metric), value, "{metric}");
        }
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_kubelet_that_restarts_finds_everything_again() {
    alone("registering::a_kubelet_that_restarts_finds_everything_again", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        let given = node.kubelet.allocate("vm-1", SOCKETS, 2).await.unwrap();
        for restart in 0..6 {
            // In the middle: between the end of one and the start of the next, or at once.
            node.kubelet.kill().await;
            if restart % 2 == 0 {
                until("it is noticed", || plugin.get("/readyz").0 == 503).await;
            }
            node.kubelet.begin().await;
            node.listened_to().await;
            assert_eq!(
                by_resource(node.kubelet.registrations()),
                [DATAPLANE, LISTENING, SOCKETS].map(registration)
            );
            assert_eq!(node.kubelet.duplicates(), 0);
            assert_eq!(node.kubelet.pod("vm-1"), std::slice::from_ref(&given));
        }
        let rest = node.kubelet.allocate("vm-2", SOCKETS, 1).await.unwrap();
        assert_eq!(&given.ids | &rest.ids, set(&["sockets-0", "sockets-1", "sockets-2"]));
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_kubelet_that_forgets_is_reminded() {
    alone("registering::a_kubelet_that_forgets_is_reminded", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.forget();
        until("it is noticed", || plugin.get("/readyz").0 == 503).await;
        let (_, reasons) = plugin.get("/readyz");
        let lines = [DATAPLANE, LISTENING, SOCKETS]
            .map(|resource| format!("{resource}: registered, but the kubelet does not listen\n"));
        assert_eq!(reasons, lines.concat());
        node.listened_to().await;
        assert_eq!(node.kubelet.registrations().len(), 6);
        assert_eq!(plugin.get("/readyz").0, 200);
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_kubelet_that_comes_late_is_waited_for() {
    alone("registering::a_kubelet_that_comes_late_is_waited_for", async {
        let mut node = Node::new().await;
        node.kubelet.stop().await;
        let plugin = node.plugin();
        let reason =
            "kubelet.sock does not exist: start the kubelet, or pass its directory with --kubelet-dir";
        until("it says what it waits for", || plugin.stderr().matches(reason).count() == 3).await;
        node.kubelet.begin().await;
        node.listened_to().await;
        assert_eq!(node.kubelet.registrations().len(), 3);
        plugin.stop().await;
    })
    .await;
}
