//! PodResources.

use std::{collections::BTreeSet, os::unix::net::UnixListener, path::PathBuf, time::Duration};

use tokio::task::spawn_blocking;

use super::{
    NAME, PATIENCE, Running, Stub, limited,
    standin::{Kubelet, dial},
    until,
};
use crate::kubelet::{ask, channel::CallError, in_use, podresources::PodResourcesError};

#[tokio::test]
async fn tells_the_devices_of_our_domain() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let mut kubelet = Kubelet::start(root.path()).await;
        let names = [NAME, "example.org/b", "example.org.uk/c"];
        let stubs = names.map(|name| Stub::new(name, 3) as _);
        let plugin = Running::start(&kubelet.plugin_dir(), stubs.into());
        plugin.ready().await;
        until("all lists", || names.iter().all(|name| kubelet.healthy(name).len() == 3)).await;
        let socket = kubelet.pod_resources();
        let used = async || in_use(&socket, "example.org", PATIENCE).await.unwrap().devices;
        assert_eq!(used().await, BTreeSet::new());

        kubelet.allocate("vm-1", NAME, 2).await.unwrap();
        kubelet.allocate("vm-1", "example.org/b", 1).await.unwrap();
        kubelet.allocate("vm-2", NAME, 1).await.unwrap();
        kubelet.allocate("vm-2", "example.org.uk/c", 3).await.unwrap();
        let all = [(NAME, "a-0"), (NAME, "a-1"), (NAME, "a-2"), ("example.org/b", "b-2")];
        let set = |pairs: &[(&str, &str)]| -> BTreeSet<(String, String)> {
            pairs.iter().map(|&(name, id)| (name.to_owned(), id.to_owned())).collect()
        };
        assert_eq!(used().await, set(&all));
        kubelet.restart().await;
        assert_eq!(used().await, set(&all));
        kubelet.release("vm-1");
        assert_eq!(used().await, set(&all[..1]));
    })
    .await;
}

/// The kernel tells the kubelet's process, which here is this one.
#[tokio::test]
async fn answers_somebody_who_asks_once() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        let asked = async |socket: PathBuf| {
            let asked = spawn_blocking(move || ask(&socket, "example.org", PATIENCE)).await.unwrap();
            (asked.process.map(|process| process.get().unsigned_abs()), asked.listing.is_some())
        };
        assert_eq!(asked(kubelet.pod_resources()).await, (Some(std::process::id()), true));
        assert_eq!(asked(root.path().join("none")).await, (None, false));
    })
    .await;
}

/// 110 pods with 1,000 devices each: more than the 4 MiB that gRPC takes by default.
#[tokio::test]
async fn reads_a_full_node() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        let long = "x".repeat(50);
        kubelet.pretend(110, |pod| {
            let ids = (0..1000).map(|n| format!("{long}-{pod}-{n}")).collect();
            (NAME.to_owned(), ids)
        });
        let used = in_use(&kubelet.pod_resources(), "example.org", PATIENCE).await.unwrap().devices;
        assert_eq!(used.len(), 110_000);
    })
    .await;
}

#[tokio::test]
async fn says_who_does_not_answer() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let socket = root.path().join("kubelet.sock");
        let told = async || in_use(&socket, "example.org", Duration::from_millis(100)).await.unwrap_err();
        let text = |what: &str| {
            format!(
                "the kubelet does not report which devices are in use: {what}: mount its pod-resources directory, or \
                 pass the socket with --pod-resources"
            )
        };
        let path = socket.display();
        let missing = format!("cannot connect to {path}: No such file or directory (os error 2)");
        assert_eq!(told().await.to_string(), text(&missing));

        let silent = UnixListener::bind(&socket).unwrap();
        assert_eq!(told().await.to_string(), text(&format!("{path} did not answer within 100ms")));
        drop(silent);
        assert!(matches!(told().await, PodResourcesError(CallError::Unreachable { .. })));
    })
    .await;
}

#[tokio::test]
async fn says_what_was_answered_instead() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        // A server that does not know the service.
        let error = in_use(&kubelet.socket(), "example.org", PATIENCE).await.unwrap_err();
        let PodResourcesError(CallError::Refused { code, .. }) = &error else { panic!("{error}") };
        assert_eq!(code, "Operation is not implemented or not supported");
        assert!(dial(&kubelet.socket()).await.is_ok());
    })
    .await;
}
