//! When the process ends, and when not: one that outlives its VM blocks the next migration, one that goes too early
//! fails the `Shutdown` hook. Every end is exit code 0, or the finished pod counts as failed.

use std::time::Duration;

use rustix::process::Signal;
use tokio::{
    io::AsyncWriteExt,
    net::UnixStream,
    time::{sleep, timeout},
};

use crate::{
    DOMAIN, VMI,
    pod::Pod,
    sidecar::{Sidecar, limited, until},
};
use launcher_sim::Layout;

/// `Shutdown` is answered, then the process has gone with its socket.
async fn shut_down(sidecar: &mut Sidecar) {
    let socket = sidecar.socket();
    sidecar.client().shutdown().await.unwrap();
    assert_ended(sidecar.exit().await);
    assert!(!socket.exists());
}

fn assert_ended((code, took): (Option<i32>, Duration)) {
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn shutdown_ends_it_with_or_without_a_vm() {
    limited(async {
        for define in [false, true] {
            let pod = Pod::with_network_info(Layout::PerSidecar);
            let mut sidecar = pod.sidecar().start().await;
            if define {
                sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
            }
            shut_down(&mut sidecar).await;
            assert_eq!(sidecar.find_all("ended: the VM is gone").len(), 1);
        }
    })
    .await;
}

#[tokio::test]
async fn shutting_down_again_or_at_the_same_time_is_harmless() {
    limited(async {
        let pod = Pod::new();
        let mut sidecar = pod.sidecar().start().await;
        let client = sidecar.client();
        let (first, second) = tokio::join!(client.shutdown(), client.shutdown());
        assert_eq!((first.unwrap(), second.unwrap()), ((), ()));
        // The sidecar lingers for those who come a little later; after that nobody is there to answer.
        let _ = client.shutdown().await;
        assert_ended(sidecar.exit().await);
    })
    .await;
}

#[tokio::test]
async fn an_idle_connection_does_not_keep_it() {
    limited(async {
        let pod = Pod::new();
        let mut sidecar = pod.sidecar().start().await;
        let _silent = UnixStream::connect(sidecar.socket()).await.unwrap();
        let mut greeted = UnixStream::connect(sidecar.socket()).await.unwrap();
        // HTTP/2's preface and empty settings, and never a word again, not even to the server's goodbye.
        greeted.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        shut_down(&mut sidecar).await;
    })
    .await;
}

#[tokio::test]
async fn a_waiting_call_does_not_keep_it() {
    limited(async {
        let pod = Pod::new();
        let mut sidecar = pod.sidecar().start().await;
        let client = sidecar.client();
        let waiting = tokio::spawn(async move { client.on_define_domain(DOMAIN, VMI).await });
        sleep(Duration::from_millis(200)).await;
        shut_down(&mut sidecar).await;
        timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap_err();
    })
    .await;
}

#[tokio::test]
async fn sigterm_before_any_call_ends_it() {
    limited(async {
        for signal in [Signal::TERM, Signal::INT] {
            let pod = Pod::new();
            let mut sidecar = pod.sidecar().start().await;
            sidecar.client().info().await.unwrap();
            sidecar.signal(signal);
            assert_ended(sidecar.exit().await);
            assert!(!sidecar.socket().exists());
            assert_eq!(sidecar.find_all("ended: received a signal and there is no VM").len(), 1);
        }
    })
    .await;
}

/// Ready for signals, too, before its name can be seen: as a container's first process it would not get one that
/// comes earlier.
#[tokio::test]
async fn sigterm_counts_from_the_moment_the_socket_can_be_seen() {
    limited(async {
        for round in 0..20 {
            let pod = Pod::new();
            let mut sidecar = pod.sidecar().spawn();
            while !pod.socket().exists() {
                tokio::task::yield_now().await;
            }
            sidecar.signal(Signal::TERM);
            assert_eq!(sidecar.exit().await.0, Some(0), "round {round}");
        }
    })
    .await;
}

/// At pod deletion every container gets SIGTERM at once, while the guest may still take its time.
#[tokio::test]
async fn sigterm_leaves_a_vm_its_sidecar() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let mut sidecar = pod.sidecar().start().await;
        let before = sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
        sidecar.signal(Signal::TERM);
        let told = "received a signal; serving until the VM is gone";
        until(told, || sidecar.find_all(told).len() == 1).await;
        sleep(Duration::from_millis(500)).await;
        assert!(sidecar.runs());
        assert_eq!(sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap(), before);
        shut_down(&mut sidecar).await;
    })
    .await;
}

/// Also while the first call is still under way.
#[tokio::test]
async fn a_second_sigterm_ends_it() {
    limited(async {
        let pod = Pod::new();
        let mut sidecar = pod.sidecar().start().await;
        let client = sidecar.client();
        let _waiting = tokio::spawn(async move { client.on_define_domain(DOMAIN, VMI).await });
        sleep(Duration::from_millis(200)).await;
        sidecar.signal(Signal::TERM);
        let told = "received a signal; serving until the VM is gone";
        until(told, || sidecar.find_all(told).len() == 1).await;
        sidecar.signal(Signal::TERM);
        assert_ended(sidecar.exit().await);
        assert_eq!(sidecar.find_all("ended: received a second signal").len(), 1);
    })
    .await;
}
