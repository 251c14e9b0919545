//! Our sockets in a directory that belongs to the kubelet.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::Path,
};

use super::{NAME, Pair, Running, Stub, TIMING, limited, standin::Kubelet, until};
use crate::kubelet::{
    serve::KubeletError,
    socket::{SocketError, socket_path},
};

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_path_that_is_too_long_is_refused_with_its_length() {
    let dir = Path::new("/var/lib/kubelet/device-plugins");
    let path = |resource: &str| socket_path(dir, resource).map_err(|error| error.to_string());
    let sockets = path("vhostuser.network/sockets-1.a_b").unwrap();
    assert_eq!(sockets, dir.join("vhostuser.network_sockets-1.a_b.sock"));

    let longest = format!("a/{}", "b".repeat(68));
    assert_eq!(path(&longest).unwrap().as_os_str().len(), 107);
    let too_long = format!("{longest}b");
    let text = "b.sock has 108 bytes, more than the 107 that a socket path can have: choose a shorter domain or resource name";
    let error = path(&too_long).unwrap_err();
    assert!(error.starts_with("socket /var/lib/kubelet/device-plugins/a_b"), "{error}");
    assert!(error.ends_with(text), "{error}");
}

#[tokio::test]
async fn a_stop_removes_our_sockets_and_nothing_else() {
    limited(async {
        let pair = Pair::start().await;
        let dir = pair.kubelet.plugin_dir();
        pair.kubelet.allocate("vm-1", NAME, 1).await.unwrap();
        let foreign = UnixListener::bind(dir.join("nvidia.sock")).unwrap();
        fs::write(dir.join("DEPRECATION"), "").unwrap();
        fs::create_dir(dir.join("dir")).unwrap();
        let others = ["DEPRECATION", "dir", "kubelet.sock", "kubelet_internal_checkpoint", "nvidia.sock"];
        assert_eq!(names(&dir), [&others[..2], &["example.org_a.sock"], &others[2..]].concat());

        pair.plugin.stop().await;
        until("the kubelet has noticed", || !pair.kubelet.listens(NAME)).await;
        assert_eq!(names(&dir), others);
        drop(foreign);
    })
    .await;
}

#[tokio::test]
async fn only_root_may_call() {
    limited(async {
        let pair = Pair::start().await;
        let meta = fs::metadata(pair.kubelet.plugin_dir().join("example.org_a.sock")).unwrap();
        assert!(meta.file_type().is_socket());
        assert_eq!(meta.permissions().mode() & 0o7777, 0o600);
    })
    .await;
}

/// Somebody removed it, and not a kubelet that starts: the one that runs has its connection and needs no other.
#[tokio::test]
async fn a_socket_that_vanished_is_bound_anew_without_a_registration() {
    limited(async {
        let pair = Pair::start().await;
        let socket = pair.kubelet.plugin_dir().join("example.org_a.sock");
        for _ in 0..3 {
            fs::remove_file(&socket).unwrap();
            until("it is there again", || socket.exists()).await;
        }
        tokio::time::sleep(TIMING.silence * 2).await;
        assert_eq!(pair.kubelet.registrations().len(), 1);
        assert_eq!(pair.kubelet.lists(NAME), 1);
        assert_eq!(pair.kubelet.allocate("vm-1", NAME, 1).await.unwrap().ids, ["a-2".to_owned()].into());

        // And the new one works.
        pair.kubelet.forget();
        pair.listened_to().await;
        assert_eq!(pair.kubelet.registrations().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_dead_predecessors_socket_is_replaced() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        let socket = kubelet.plugin_dir().join("example.org_a.sock");
        drop(UnixListener::bind(&socket).unwrap());
        assert!(socket.exists());
        let plugin = Running::start(&kubelet.plugin_dir(), vec![Stub::new(NAME, 3)]);
        plugin.ready().await;
        plugin.stop().await;
        assert!(!socket.exists());
    })
    .await;
}

async fn refused(dir: &Path) -> SocketError {
    match Running::start(dir, vec![Stub::new(NAME, 3)]).ended().await {
        Err(KubeletError::Socket(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_live_process_keeps_its_socket() {
    limited(async {
        let pair = Pair::start().await;
        let dir = pair.kubelet.plugin_dir();
        let socket = dir.join("example.org_a.sock");
        let inode = fs::metadata(&socket).unwrap().ino();
        let text = format!(
            "socket {} is in use by another process: stop it first (one device plugin per node)",
            socket.display()
        );
        assert_eq!(refused(&dir).await.to_string(), text);
        assert_eq!(fs::metadata(&socket).unwrap().ino(), inode);
        pair.kubelet.allocate("vm-1", NAME, 1).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn another_processes_socket_that_took_the_place_is_not_removed() {
    limited(async {
        let pair = Pair::start().await;
        let socket = pair.kubelet.plugin_dir().join("example.org_a.sock");
        let other = pair.root.path().join("other.sock");
        let foreign = UnixListener::bind(&other).unwrap();
        fs::rename(&other, &socket).unwrap();
        let inode = fs::metadata(&socket).unwrap().ino();
        let error = pair.plugin.ended().await.unwrap_err();
        assert!(matches!(error, KubeletError::Socket(SocketError::InUse(_))), "{error}");
        assert_eq!(fs::metadata(&socket).unwrap().ino(), inode);
        drop(foreign);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        let file = kubelet.plugin_dir().join("example.org_a.sock");
        fs::write(&file, "mine").unwrap();
        let text = format!("socket {}: the path exists and is not a socket: remove it", file.display());
        assert_eq!(refused(&kubelet.plugin_dir()).await.to_string(), text);
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    })
    .await;
}
