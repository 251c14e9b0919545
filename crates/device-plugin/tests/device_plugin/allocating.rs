//! What pods get.

use std::{collections::BTreeMap, fs, os::unix::fs::symlink};

use crate::{
    node::{
        DATAPLANE, LISTENING, Node, ROOT, SOCKETS, device_info, expected_device_info, names, rights, set,
    },
    own_mounts::alone,
};
use kubelet_sim::{
    Allocation, Mount,
    messages::{AllocateRequest, ContainerAllocateRequest},
};

fn mount(id: &str, read_only: bool) -> Mount {
    Mount {
        host: format!("/run/vhostuser/{id}/pod"),
        container: format!("/var/run/vhostuser/{id}"),
        read_only,
    }
}

fn given(resource: &str, ids: &[&str], read_only: bool) -> Allocation {
    let (_, name) = resource.split_once('/').unwrap();
    let sockets: Vec<_> = ids.iter().map(|id| format!("/var/run/vhostuser/{id}/vhost.sock")).collect();
    Allocation {
        resource: resource.to_owned(),
        ids: set(ids),
        mounts: ids.iter().map(|id| mount(id, read_only)).collect(),
        envs: BTreeMap::from([(format!("VHOSTUSER_{}", name.to_uppercase()), sockets.join(","))]),
    }
}

#[tokio::test]
async fn a_container_gets_its_own_directories() {
    alone("allocating::a_container_gets_its_own_directories", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        assert_eq!(device_info(), expected_device_info());

        let sockets = node.kubelet.allocate("vm-1", SOCKETS, 2).await.unwrap();
        assert_eq!(sockets, given(SOCKETS, &["sockets-0", "sockets-1"], false));
        let listening = node.kubelet.allocate("vm-1", LISTENING, 1).await.unwrap();
        assert_eq!(listening, given(LISTENING, &["listening-0"], true));
        assert_eq!(rights("/run/vhostuser/sockets-0/pod"), (107, 107, 0o770));
        assert_eq!(rights("/run/vhostuser/listening-0/pod"), (0, 107, 0o750));

        let error = node.kubelet.allocate("vm-2", SOCKETS, 2).await.unwrap_err();
        let text = "requested number of devices unavailable for vhostuser.network/sockets. Requested: 2, Available: 1";
        assert_eq!(error, text);
        let metric = |name: &str| plugin.metric(&format!("{name}{{resource=\"{SOCKETS}\"}}"));
        assert_eq!((metric("allocations_total"), metric("allocation_errors_total")), (1, 0));
        assert_eq!(device_info(), expected_device_info());
        plugin.stop().await;
    })
    .await;
}

/// The kubelet passes ids in random order; Multus sorts them by string before it gives them to networks.
#[tokio::test]
async fn paths_are_sorted_by_device() {
    alone("allocating::paths_are_sorted_by_device", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        for order in [["sockets-2", "sockets-0", "sockets-1"], ["sockets-1", "sockets-2", "sockets-0"]] {
            let request = ContainerAllocateRequest { devices_ids: order.map(str::to_owned).to_vec() };
            let request = AllocateRequest { container_requests: vec![request] };
            let answer = node.kubelet.client(SOCKETS).allocate(request).await.unwrap().into_inner();
            let container = &answer.container_responses[0];
            let sockets = [0, 1, 2].map(|n| format!("/var/run/vhostuser/sockets-{n}/vhost.sock"));
            assert_eq!(container.envs["VHOSTUSER_SOCKETS"], sockets.join(","));
            let mounts: Vec<_> = container.mounts.iter().map(|mount| mount.host_path.as_str()).collect();
            assert_eq!(mounts, [0, 1, 2].map(|n| format!("/run/vhostuser/sockets-{n}/pod")));
        }
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_switch_gets_the_whole_root_once() {
    alone("allocating::the_switch_gets_the_whole_root_once", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        let root = Mount { host: ROOT.to_owned(), container: ROOT.to_owned(), read_only: false };
        assert_eq!(node.kubelet.allocate("switch", DATAPLANE, 1).await.unwrap().mounts, [root]);
        node.kubelet.allocate("another", DATAPLANE, 1).await.unwrap_err();
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_next_pod_finds_nothing_of_the_one_before() {
    alone("allocating::the_next_pod_finds_nothing_of_the_one_before", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm-1", SOCKETS, 3).await.unwrap();
        fs::write("/run/victim", "kept").unwrap();
        for id in ["sockets-0", "sockets-1"] {
            let dir = format!("{ROOT}/{id}/pod");
            fs::create_dir_all(format!("{dir}/a/b")).unwrap();
            symlink("/run/victim", format!("{dir}/vhost.sock")).unwrap();
            symlink("/run", format!("{dir}/a/run")).unwrap();
        }
        node.kubelet.release("vm-1");
        let again = node.kubelet.allocate("vm-2", SOCKETS, 3).await.unwrap();
        assert_eq!(again, given(SOCKETS, &["sockets-0", "sockets-1", "sockets-2"], false));
        for id in ["sockets-0", "sockets-1", "sockets-2"] {
            assert_eq!(names(&format!("{ROOT}/{id}/pod")), set(&[]));
        }
        assert_eq!(fs::read_to_string("/run/victim").unwrap(), "kept");
        assert_eq!(plugin.metric("directories_cleared_total"), 2);
        plugin.stop().await;
    })
    .await;
}

/// Those that were never given come first, then those whose last pod is longest gone.
#[tokio::test]
async fn a_device_rests_as_long_as_others_are_free() {
    alone("allocating::a_device_rests_as_long_as_others_are_free", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        for expected in ["sockets-0", "sockets-1", "sockets-2", "sockets-0", "sockets-1"] {
            assert_eq!(node.kubelet.allocate("vm", SOCKETS, 1).await.unwrap().ids, set(&[expected]));
            node.kubelet.release("vm");
        }
        plugin.stop().await;
    })
    .await;
}
