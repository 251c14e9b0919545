//! Killed at any step, then started again.

use std::{
    fs,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    node::{
        DEVICE_INFO, LISTENING, Node, ROOT, SOCKETS, device_info, expected_device_info, names, rights, set,
    },
    own_mounts::alone,
    plugin::until,
};

/// How many moments of a start a kill is tried at.
const STEPS: u32 = 40;

const DIRECTORIES: [&str; 5] = ["listening-0", "listening-1", "sockets-0", "sockets-1", "sockets-2"];

#[tokio::test]
async fn what_a_running_pod_has_is_not_touched() {
    alone("crashing::what_a_running_pod_has_is_not_touched", async {
        let mut node = Node::new().await;
        let mut plugin = node.ready_plugin().await;
        node.kubelet.allocate("vm-1", SOCKETS, 1).await.unwrap();
        node.kubelet.allocate("vm-1", LISTENING, 1).await.unwrap();
        for id in ["sockets-0", "listening-0"] {
            fs::write(format!("{ROOT}/{id}/pod/vhost.sock"), "in use").unwrap();
        }
        let before = ["sockets-0", "listening-0"].map(|id| rights(&format!("{ROOT}/{id}/pod")));
        for _ in 0..3 {
            plugin.kill().await;
            until("the kubelet has noticed", || !node.kubelet.listens(SOCKETS)).await;
            plugin = node.ready_plugin().await;
            for id in ["sockets-0", "listening-0"] {
                assert_eq!(fs::read_to_string(format!("{ROOT}/{id}/pod/vhost.sock")).unwrap(), "in use");
            }
            assert_eq!(["sockets-0", "listening-0"].map(|id| rights(&format!("{ROOT}/{id}/pod"))), before);
            let metric = format!("devices_allocated{{resource=\"{SOCKETS}\"}}");
            until("it knows what is in use", || plugin.metric(&metric) == 1).await;
        }
        assert_eq!(device_info(), expected_device_info());
        assert_eq!(
            node.kubelet.allocate("vm-2", SOCKETS, 2).await.unwrap().ids,
            set(&["sockets-1", "sockets-2"])
        );
        plugin.stop().await;
    })
    .await;
}

/// At whatever step: no file is ever half there, and the next start makes it whole.
#[tokio::test]
async fn killed_at_any_time_while_it_starts() {
    alone("crashing::killed_at_any_time_while_it_starts", async {
        let mut node = Node::new().await;
        let started = Instant::now();
        node.plugin().kill_when_ready().await;
        let whole = started.elapsed();
        for step in 0..STEPS {
            let plugin = node.plugin();
            sleep(whole * step / STEPS).await;
            plugin.kill().await;
            let expected = expected_device_info();
            let temporary = |name: &str| name.starts_with(".vhostuser-");
            for (name, info) in device_info_if_whole() {
                assert_eq!(expected.get(&name), Some(&info), "{name} after {step}");
            }
            let strangers = names(DEVICE_INFO).into_iter().filter(|name| !expected.contains_key(name));
            assert!(strangers.into_iter().all(|name| temporary(&name)));
        }
        let plugin = node.ready_plugin().await;
        assert_eq!(device_info(), expected_device_info());
        let directories = names(ROOT).into_iter().filter(|name| !name.starts_with('.'));
        assert_eq!(directories.collect::<Vec<_>>(), DIRECTORIES);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounted = |path: &str| mounts.lines().filter(|line| line.contains(&format!(" {path} "))).count();
        assert_eq!(mounted(ROOT), 1, "the root is mounted once, however often it was begun");
        for id in ["sockets-0", "sockets-1", "sockets-2"] {
            assert_eq!(mounted(&format!("{ROOT}/{id}")), 1);
        }
        node.kubelet.allocate("vm-1", SOCKETS, 3).await.unwrap();
        plugin.stop().await;
    })
    .await;
}

/// Killed while it hands devices over: what pods have got by then stays, and the next start makes the rest whole.
#[tokio::test]
async fn killed_while_it_allocates() {
    alone("crashing::killed_while_it_allocates", async {
        let mut node = Node::new().await;
        for step in 0..12_u32 {
            let plugin = node.ready_plugin().await;
            node.kubelet.allocate("kept", SOCKETS, 1).await.unwrap();
            let kept = node.kubelet.pod("kept")[0].ids.first().unwrap().clone();
            fs::write(format!("{ROOT}/{kept}/pod/vhost.sock"), "in use").unwrap();
            let allocating = async {
                // Until the plugin is gone.
                while node.kubelet.allocate("others", SOCKETS, 2).await.is_ok() {
                    node.kubelet.release("others");
                }
            };
            let killing = async {
                sleep(Duration::from_micros(700 * u64::from(step))).await;
                plugin.kill().await;
            };
            tokio::join!(allocating, killing);
            until("the kubelet has noticed", || !node.kubelet.listens(SOCKETS)).await;
            let plugin = node.ready_plugin().await;
            assert_eq!(fs::read_to_string(format!("{ROOT}/{kept}/pod/vhost.sock")).unwrap(), "in use");
            for id in ["sockets-0", "sockets-1", "sockets-2"] {
                assert_eq!(rights(&format!("{ROOT}/{id}/pod")), (107, 107, 0o770), "{id} after {step}");
            }
            assert_eq!(device_info(), expected_device_info());
            let others = node.kubelet.allocate("others", SOCKETS, 2).await.unwrap().ids;
            for id in others {
                assert_eq!(names(&format!("{ROOT}/{id}")), set(&["pod"]), "{id} after {step}");
            }
            node.kubelet.release("others");
            node.kubelet.release("kept");
            plugin.stop().await;
        }
    })
    .await;
}

/// Those under their own names; temporary ones may be anything.
fn device_info_if_whole() -> Vec<(String, serde_json::Value)> {
    let whole = names(DEVICE_INFO).into_iter().filter(|name| !name.starts_with('.'));
    whole
        .map(|name| {
            let text = fs::read(format!("{DEVICE_INFO}/{name}")).unwrap();
            (name, serde_json::from_slice(&text).expect("a whole file"))
        })
        .collect()
}
