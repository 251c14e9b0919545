//! virt-launcher finds the sidecar, in every layout and from the first moment on.

use std::{os::unix::net::UnixStream, time::Duration};

use tokio::time::sleep;

use crate::{pod::Pod, sidecar::limited};
use launcher_sim::{Client, Collect, Found, HookPoint, InfoResult, Layout, Pace, Release};

fn collect(pod: &Pod, sidecars: usize, pace: Pace) -> Collect {
    let timeout = Duration::from_secs(10);
    Collect { dir: pod.volume(), layout: pod.layout(), pace, sidecars, timeout }
}

fn names(found: &[Found]) -> Vec<String> {
    let name = |found: &Found| found.socket.file_name().unwrap().to_str().unwrap().to_owned();
    found.iter().map(name).collect()
}

fn our_info() -> InfoResult {
    let hook_point = |name: &str| HookPoint { name: name.to_owned(), priority: 0 };
    InfoResult {
        name: "network-vhostuser-binding".to_owned(),
        hook_points: ["OnDefineDomain", "Shutdown"].map(hook_point).to_vec(),
        versions: vec!["v1alpha3".to_owned()],
    }
}

#[tokio::test]
async fn every_release_finds_it_and_reads_the_same_info() {
    limited(async {
        for release in Release::ALL {
            let pod = Pod::of(release.layout());
            let _sidecar = pod.sidecar().start().await;
            let found = collect(&pod, 1, release.pace()).collect().await.unwrap();
            assert_eq!(found[0].version, "v1alpha3");
            assert_eq!(found[0].info, our_info(), "{release:?}");
            if release.layout() == Layout::PerSidecar {
                assert_eq!(found[0].socket, pod.socket());
            }
        }
    })
    .await;
}

/// An `Info` that fails after a connection was accepted ends the launcher, and with it the VM.
#[tokio::test]
async fn info_succeeds_from_the_moment_the_socket_can_be_seen() {
    limited(async {
        for round in 0..40 {
            let pod = Pod::new();
            let socket = pod.socket();
            let mut sidecar = pod.sidecar().spawn();
            while UnixStream::connect(&socket).is_err() {
                assert!(sidecar.runs(), "{}", sidecar.stderr());
                tokio::task::yield_now().await;
            }
            assert_eq!(Client::new(&socket).info().await.unwrap(), our_info(), "round {round}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_sidecars_that_share_a_directory_are_both_found() {
    limited(async {
        let pod = Pod::flat();
        let first = pod.sidecar().start().await;
        let second = pod.sidecar().start().await;
        let found = collect(&pod, 2, Pace::TickBetween(Duration::from_millis(10))).collect().await.unwrap();
        let mut sockets = [first.socket(), second.socket()];
        sockets.sort();
        assert_eq!(found.iter().map(|found| found.socket.clone()).collect::<Vec<_>>(), sockets);
        for name in names(&found) {
            let hex = name.strip_prefix("vhostuser-").and_then(|name| name.strip_suffix(".sock")).unwrap();
            assert_eq!(hex.len(), 8, "{name}");
            assert!(hex.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_sidecars_in_directories_of_their_own_are_both_found() {
    limited(async {
        let pod = Pod::new();
        let _first = pod.sidecar().start().await;
        let _second = pod.sidecar().number(1).start().await;
        let found = collect(&pod, 2, Pace::TickBetween(Duration::from_millis(10))).collect().await.unwrap();
        assert_eq!(names(&found), ["vhostuser-hook-sidecar-0.sock", "vhostuser-hook-sidecar-1.sock"]);
    })
    .await;
}

/// A stray file costs every VM start the two seconds of a dial.
#[tokio::test]
async fn nothing_but_the_socket_is_in_the_hook_directory() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().start().await;
        sidecar.client().info().await.unwrap();
        assert_eq!(pod.files(), ["hook-sidecar-0", "hook-sidecar-0/vhostuser-hook-sidecar-0.sock"]);

        let pod = Pod::flat();
        let sidecar = pod.sidecar().start().await;
        sidecar.client().info().await.unwrap();
        sleep(Duration::from_millis(50)).await;
        assert_eq!(pod.files(), [sidecar.socket().file_name().unwrap().to_str().unwrap()]);
    })
    .await;
}
