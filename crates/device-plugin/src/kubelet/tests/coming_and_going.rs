//! Kubelets that come, go, restart, refuse and forget.

use std::{fs, time::Instant};

use super::{
    NAME, Pair, Running, Stub, TIMING, limited,
    standin::{
        Kubelet, Registration, dial,
        messages::{DevicePluginOptions, Empty},
    },
    until,
};

fn registration(endpoint: &str, resource: &str) -> Registration {
    let options = DevicePluginOptions { pre_start_required: false, get_preferred_allocation_available: true };
    Registration {
        version: "v1beta1".to_owned(),
        endpoint: endpoint.to_owned(),
        resource: resource.to_owned(),
        options,
    }
}

#[tokio::test]
async fn registers_once_and_stays() {
    limited(async {
        let pair = Pair::start().await;
        tokio::time::sleep(TIMING.silence * 2).await;
        assert_eq!(pair.kubelet.registrations(), [registration("example.org_a.sock", NAME)]);
        assert_eq!(pair.kubelet.lists(NAME), 1);
        assert_eq!(pair.plugin.metric("registrations_total", ""), "1");
        assert_eq!(pair.plugin.metric("registration_errors_total", ""), "0");
    })
    .await;
}

#[tokio::test]
async fn registers_anew_with_every_new_kubelet() {
    limited(async {
        let mut pair = Pair::start().await;
        let given = pair.kubelet.allocate("vm-1", NAME, 1).await.unwrap();
        for life in 2..6 {
            match life % 2 {
                0 => pair.kubelet.restart().await,
                _ => {
                    pair.kubelet.kill().await;
                    pair.kubelet.begin().await;
                }
            }
            pair.listened_to().await;
            pair.plugin.ready().await;
            assert_eq!(pair.kubelet.registrations(), [registration("example.org_a.sock", NAME)]);
            assert_eq!(pair.plugin.metric("registrations_total", ""), life.to_string());
            assert_eq!(pair.kubelet.pod("vm-1"), std::slice::from_ref(&given));
            assert_eq!(pair.kubelet.duplicates(), 0);
        }
        assert_eq!(pair.plugin.metric("registration_errors_total", ""), "0");
    })
    .await;
}

#[tokio::test]
async fn two_kubelets_in_turn_of_which_the_first_keeps_its_stream() {
    limited(async {
        let mut pair = Pair::start().await;
        let socket = pair.kubelet.plugin_dir().join("example.org_a.sock");
        let mut lingering = dial(&socket).await.unwrap();
        let mut stream = lingering.list_and_watch(Empty {}).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap().unwrap().devices.len(), 3);

        pair.kubelet.kill().await;
        let second = Kubelet::start(pair.root.path()).await;
        until("the second one listens", || second.devices(NAME).len() == 3).await;
        pair.plugin.ready().await;
        assert_eq!(stream.message().await.unwrap(), None, "nobody needs that stream any more");

        // The first one's stream does not hide that the second has none.
        second.forget();
        until("the second one listens again", || second.devices(NAME).len() == 3).await;
        assert_eq!(second.registrations().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn waits_for_a_kubelet_that_comes_late() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let mut kubelet = Kubelet::stopped(root.path());
        let plugin = Running::start(&kubelet.plugin_dir(), vec![Stub::new(NAME, 3)]);
        let socket = kubelet.socket();
        let reason = format!(
            "example.org/a: {} does not exist: start the kubelet, or pass its directory with --kubelet-dir",
            socket.display()
        );
        until("it says what it waits for", || plugin.readiness.reasons() == [reason.as_str()]).await;
        assert_eq!(plugin.metric("registration_errors_total", ""), "0");

        kubelet.begin().await;
        plugin.ready().await;
        assert_eq!(kubelet.registrations(), [registration("example.org_a.sock", NAME)]);
    })
    .await;
}

#[tokio::test]
async fn waits_for_a_directory_that_comes_late_or_is_made_anew() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let mut kubelet = Kubelet::stopped(root.path());
        let dir = kubelet.plugin_dir();
        fs::remove_dir(&dir).unwrap();
        let plugin = Running::start(&dir, vec![Stub::new(NAME, 3)]);
        let reason = format!(
            "example.org/a: directory {} does not exist: start the kubelet, or pass its directory with --kubelet-dir",
            dir.display()
        );
        until("it says what it waits for", || plugin.readiness.reasons() == [reason.as_str()]).await;
        for _ in 0..2 {
            kubelet.begin().await;
            plugin.ready().await;
            assert_eq!(kubelet.registrations().len(), 1);
            kubelet.kill().await;
            fs::remove_dir_all(&dir).unwrap();
            until("it says so again", || plugin.readiness.reasons() == [reason.as_str()]).await;
        }
        plugin.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_dead_kubelet_is_asked_again_and_again() {
    limited(async {
        let mut pair = Pair::start().await;
        pair.kubelet.kill().await;
        let told = format!(
            "example.org/a: not registered: cannot connect to {}: Connection refused (os error 111)",
            pair.kubelet.socket().display()
        );
        until("it says so", || pair.reasons() == [told.as_str()]).await;
        until("three attempts", || pair.plugin.metric("registration_errors_total", "") == "3").await;
        pair.kubelet.begin().await;
        pair.plugin.ready().await;
        assert_eq!(pair.kubelet.registrations().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_kubelet_that_refuses_is_asked_again() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        kubelet.refuse(4);
        let started = Instant::now();
        let plugin = Running::start(&kubelet.plugin_dir(), vec![Stub::new(NAME, 3)]);
        let told = format!(
            "example.org/a: not registered: {} answered Unknown error: told to refuse",
            kubelet.socket().display()
        );
        until("it says why", || plugin.readiness.reasons() == [told.as_str()]).await;
        plugin.ready().await;
        // 10, 20, 40 and again 40 ms.
        assert!(started.elapsed() >= TIMING.first * 11, "{:?}", started.elapsed());
        assert_eq!(kubelet.registrations().len(), 5);
        assert_eq!(plugin.metric("registration_errors_total", ""), "4");
        assert_eq!(plugin.metric("registrations_total", ""), "1");
    })
    .await;
}

#[tokio::test]
async fn a_kubelet_that_forgets_is_reminded() {
    limited(async {
        let pair = Pair::start().await;
        let forgotten = Instant::now();
        pair.kubelet.forget();
        until("it is noticed", || {
            pair.reasons() == ["example.org/a: registered, but the kubelet does not listen"]
        })
        .await;
        pair.listened_to().await;
        assert!(forgotten.elapsed() >= TIMING.silence, "{:?}", forgotten.elapsed());
        assert_eq!(pair.kubelet.registrations().len(), 2);
        pair.plugin.ready().await;
    })
    .await;
}

#[tokio::test]
async fn a_kubelet_that_does_not_listen_is_reminded() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        kubelet.be_deaf(true);
        let plugin = Running::start(&kubelet.plugin_dir(), vec![Stub::new(NAME, 3)]);
        until("the second answer", || plugin.metric("registrations_total", "") == "2").await;
        assert_eq!(
            plugin.readiness.reasons(),
            ["example.org/a: registered, but the kubelet does not listen"]
        );
        kubelet.be_deaf(false);
        plugin.ready().await;
        assert_eq!(kubelet.registrations().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn resources_stand_for_themselves() {
    limited(async {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        kubelet.refuse(1);
        let (a, b) = (Stub::new(NAME, 3), Stub::new("example.org/b.c", 2));
        let plugin = Running::start(&kubelet.plugin_dir(), vec![a.clone(), b.clone()]);
        plugin.ready().await;
        until("both lists", || kubelet.lists(NAME) == 1 && kubelet.lists("example.org/b.c") == 1).await;
        let mut registrations = kubelet.registrations();
        registrations.sort_by(|x, y| x.resource.cmp(&y.resource));
        registrations.dedup();
        let expected = [
            registration("example.org_a.sock", NAME),
            registration("example.org_b.c.sock", "example.org/b.c"),
        ];
        assert_eq!(registrations, expected);
        assert_eq!(kubelet.registrations().len(), 3);

        kubelet.allocate("vm-1", "example.org/b.c", 1).await.unwrap();
        assert_eq!((a.allocated(), b.allocated()), (vec![], vec![vec!["b.c-1".to_owned()]]));
        a.offers.send(Vec::new()).unwrap();
        until("a second list of one", || kubelet.lists(NAME) == 2).await;
        assert_eq!(kubelet.lists("example.org/b.c"), 1);
    })
    .await;
}
