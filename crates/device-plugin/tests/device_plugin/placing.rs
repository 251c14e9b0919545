//! Sockets on which the switch listens, and what a hostile tenant lays in their way.

use std::{
    fs,
    os::unix::{
        fs::symlink,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
};

use vocabulary::DeviceId;

use crate::{
    node::{LISTENING, Node, ROOT, SOCKETS, names, rights},
    own_mounts::alone,
    plugin::until,
};

const PLACED: &str = "/run/vhostuser/listening-0/pod/vhost.sock";

/// Where the switch makes the socket of a device's port.
fn made(id: &str) -> PathBuf {
    let id: DeviceId = id.parse().unwrap();
    PathBuf::from("/run/openvswitch").join(id.port_name())
}

/// Waits until the first device's socket is where its pod finds it, and is this one.
async fn comes(switch: &UnixListener) {
    until("the socket is in its pod's directory", || !made("listening-0").exists()).await;
    assert_eq!(rights(PLACED), (107, 107, 0o660));
    UnixStream::connect(PLACED).unwrap();
    switch.set_nonblocking(true).unwrap();
    switch.accept().unwrap();
}

#[tokio::test]
async fn a_switchs_socket_comes_to_its_pod_and_goes_with_it() {
    alone("placing::a_switchs_socket_comes_to_its_pod_and_goes_with_it", async {
        let mut node = Node::new().await;
        let mut plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm", LISTENING, 1).await.unwrap();
        for restarts in 0..2 {
            let switch = UnixListener::bind(made("listening-0")).unwrap();
            comes(&switch).await;
            until("it is counted", || plugin.metric("sockets_placed_total") == restarts + 1).await;
        }
        // One that appeared while the plugin was away.
        plugin.kill().await;
        let switch = UnixListener::bind(made("listening-0")).unwrap();
        plugin = node.plugin();
        plugin.ready().await;
        comes(&switch).await;
        // Another's socket, and one of no device.
        let other = PathBuf::from("/run/openvswitch/br1.mgmt");
        let _other = UnixListener::bind(&other).unwrap();
        let _next = UnixListener::bind(made("listening-1")).unwrap();
        until("the other device's socket is placed", || !made("listening-1").exists()).await;
        assert!(other.exists());
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_root_on_another_file_system_is_told_at_start() {
    alone("placing::a_root_on_another_file_system_is_told_at_start", async {
        let mut node = Node::new().await;
        let config = fs::read_to_string("/run/config.yaml").unwrap();
        fs::write("/run/config.yaml", config.replace("sockets: /run/openvswitch", "sockets: /proc/sys")).unwrap();
        let mut plugin = node.plugin();
        assert_eq!(plugin.exit().await, Some(1));
        assert_eq!(
            plugin.events().pop().unwrap()["message"],
            "the switch's socket directory /proc/sys and the socket root /run/vhostuser are not on one file system, and \
             a socket cannot be moved from one to another: put both below one mount, such as /run"
        );
        assert!(!node.kubelet.listens(LISTENING));
    })
    .await;
}

/// Links and a tree in place of everything that the plugin works on as root.
#[tokio::test]
async fn what_a_tenant_laid_is_neither_followed_nor_handed_on() {
    alone("placing::what_a_tenant_laid_is_neither_followed_nor_handed_on", async {
        fs::create_dir("/run/victim").unwrap();
        fs::write("/run/victim/file", "kept").unwrap();
        let before = rights("/run/victim/file");
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.allocate("hostile", SOCKETS, 1).await.unwrap();
        node.kubelet.allocate("hostile", LISTENING, 1).await.unwrap();
        let own = format!("{ROOT}/sockets-0/pod");
        symlink("/run/victim/file", format!("{own}/vhost.sock")).unwrap();
        symlink("/run/victim", format!("{own}/dir")).unwrap();
        fs::create_dir_all(format!("{own}/a/b/c")).unwrap();
        fs::hard_link("/run/victim/file", format!("{own}/hard")).unwrap_err();
        symlink("/run/victim/file", PLACED).unwrap();

        let _switch = UnixListener::bind(made("listening-0")).unwrap();
        until("the socket is in its pod's directory", || !made("listening-0").exists()).await;
        UnixStream::connect(PLACED).unwrap();
        node.kubelet.release("hostile");
        node.kubelet.allocate("next", SOCKETS, 3).await.unwrap();
        assert!(names(&own).is_empty());
        assert_eq!((rights("/run/victim/file"), names("/run/victim").len()), (before, 1));
        assert_eq!(fs::read_to_string("/run/victim/file").unwrap(), "kept");
        plugin.stop().await;
    })
    .await;
}
