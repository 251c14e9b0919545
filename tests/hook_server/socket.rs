//! What may already stand where the hook socket goes.

use std::{
    fs,
    os::unix::{fs::FileTypeExt, fs::PermissionsExt},
};

use rustix::process::Signal;

use crate::{
    pod::{Launch, Pod, kubevirts_user},
    sidecar::limited,
};

/// The message of a start that fails with exit code 1.
async fn refusal(launch: Launch<'_>) -> String {
    let mut sidecar = launch.spawn();
    assert_eq!(sidecar.exit().await.0, Some(1), "{}", sidecar.stderr());
    let events = sidecar.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["level"], "ERROR");
    events[0]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_dead_predecessors_socket_is_replaced() {
    limited(async {
        let pod = Pod::new();
        let mut first = pod.sidecar().start().await;
        first.signal(Signal::KILL);
        assert_eq!(first.exit().await.0, None);
        let socket = first.socket();
        assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());

        let second = pod.sidecar().start().await;
        assert_eq!(second.socket(), socket);
        second.client().info().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_live_ones_socket_is_not() {
    limited(async {
        let pod = Pod::new();
        let first = pod.sidecar().start().await;
        assert_eq!(
            refusal(pod.sidecar()).await,
            format!(
                "hook socket {} is in use by another process: stop it first, or set another CONTAINER_NAME",
                first.socket().display()
            )
        );
        first.client().info().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nor_is_a_file() {
    limited(async {
        let pod = Pod::new();
        let path = pod.hook_dir(0).join("vhostuser-hook-sidecar-0.sock");
        fs::write(&path, "kept").unwrap();
        assert_eq!(
            refusal(pod.sidecar()).await,
            format!(
                "hook socket {}: the name is taken by something that is not a socket: remove it",
                path.display()
            )
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    })
    .await;
}

#[tokio::test]
async fn the_hook_directory_must_be_there() {
    limited(async {
        let pod = Pod::new();
        let gone = pod.volume().join("gone");
        assert_eq!(
            refusal(pod.sidecar().hook_dir(gone.clone())).await,
            format!(
                "hook directory {} does not exist: run this in a pod of KubeVirt, which mounts it, or pass another \
                 with --hook-dir",
                gone.display()
            )
        );
        assert_eq!(pod.files(), ["hook-sidecar-0"]);
    })
    .await;
}

/// As root, the sidecar runs as KubeVirt's user 107; otherwise as whoever runs the test.
#[tokio::test]
async fn the_hook_directory_must_be_writable() {
    limited(async {
        let pod = Pod::new();
        let launch = pod.sidecar().with_kubevirts_user();
        fs::set_permissions(pod.hook_dir(0), fs::Permissions::from_mode(0o555)).unwrap();
        assert_eq!(
            refusal(launch).await,
            format!(
                "hook directory {} cannot be written by user {}: KubeVirt's volume belongs to group 107, so run as \
                 user and group 107",
                pod.hook_dir(0).display(),
                kubevirts_user()
            )
        );
        assert_eq!(pod.files(), ["hook-sidecar-0"]);
    })
    .await;
}
