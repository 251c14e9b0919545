//! A clean end.

use std::{fs, os::unix::net::UnixListener};

use rustix::process::Signal;

use crate::{
    node::{Node, ROOT, SOCKETS, device_info, expected_device_info, names, set},
    own_mounts::alone,
    plugin::until,
};

#[tokio::test]
async fn a_signal_leaves_only_what_pods_need() {
    alone("ending::a_signal_leaves_only_what_pods_need", async {
        let mut node = Node::new().await;
        for signal in [Signal::TERM, Signal::INT] {
            let mut plugin = node.ready_plugin().await;
            let dir = node.kubelet.plugin_dir();
            let foreign = UnixListener::bind(dir.join("foreign.sock")).unwrap();
            node.kubelet.allocate("vm", SOCKETS, 1).await.unwrap();
            plugin.signal(signal);
            assert_eq!(plugin.exit().await, Some(0), "{}", plugin.stderr());
            let last = plugin.events().pop().unwrap();
            assert_eq!(last["message"], "ended");

            until("the kubelet has noticed", || !node.kubelet.listens(SOCKETS)).await;
            let left = ["foreign.sock", "kubelet.sock", "kubelet_internal_checkpoint"];
            assert_eq!(names(dir.to_str().unwrap()), set(&left));
            assert!(device_info().is_empty());
            assert!(names(ROOT).contains("sockets-0"), "a pod has it");
            drop(foreign);
            fs::remove_file(dir.join("foreign.sock")).unwrap();
            node.kubelet.release("vm");
        }
        // And everything is there again.
        let plugin = node.ready_plugin().await;
        assert_eq!(device_info(), expected_device_info());
        plugin.stop().await;
    })
    .await;
}

/// A kubelet that hangs holds up nobody.
#[tokio::test]
async fn an_end_waits_for_no_kubelet() {
    alone("ending::an_end_waits_for_no_kubelet", async {
        let mut node = Node::new().await;
        let plugin = node.ready_plugin().await;
        node.kubelet.kill().await;
        let silent = node.kubelet.socket();
        fs::remove_file(&silent).unwrap();
        let listener = UnixListener::bind(&silent).unwrap();
        until("it is asked", || plugin.get("/readyz").0 == 503).await;
        plugin.stop().await;
        drop(listener);
    })
    .await;
}
