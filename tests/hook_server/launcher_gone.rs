//! virt-launcher may go without a `Shutdown` (a panic, a failed migration's target): its sockets vanish from the
//! pod's `/proc/net/unix`. Each test has a network namespace to itself, as each pod has.

use std::{
    fs,
    os::unix::net::UnixListener,
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::time::sleep;

use crate::{
    DOMAIN, VMI,
    plugin::without_hooks,
    pod::Pod,
    sidecar::{Sidecar, in_own_network, limited},
};
use launcher_sim::{Layout, plugin::mutate_domain};

/// Longer than the sidecar's time between two looks.
const SEEN: Duration = Duration::from_millis(1300);

/// Longer than it takes to find that the launcher has gone.
const NOTICED: Duration = Duration::from_millis(4200);

fn path(pod: &Pod, name: &str) -> PathBuf {
    pod.dra().join(name)
}

fn appear(pod: &Pod, name: &str) -> UnixListener {
    UnixListener::bind(path(pod, name)).unwrap()
}

/// Ends by itself, after three looks that are a second apart.
async fn assert_notices(sidecar: &mut Sidecar, gone: Instant) {
    assert_eq!(sidecar.exit().await.0, Some(0));
    let took = gone.elapsed();
    assert!(took > Duration::from_millis(1900) && took < Duration::from_secs(6), "{took:?}");
    assert_eq!(sidecar.find_all("ended: virt-launcher is gone without a Shutdown").len(), 1);
}

#[tokio::test]
async fn it_ends_when_the_launcher_has_gone() {
    if !in_own_network("launcher_gone::it_ends_when_the_launcher_has_gone").await {
        return;
    }
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let launcher = appear(&pod, "launcher-sock");
        let mut sidecar = pod.sidecar().start().await;
        sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
        sleep(SEEN).await;
        drop(launcher);
        assert_notices(&mut sidecar, Instant::now()).await;
        assert!(!sidecar.socket().exists());
    })
    .await;
}

/// The plugin framework has no `Shutdown`, so this is how a sidecar without hooks always ends. The kubelet sends a native
/// sidecar SIGTERM once the other containers have ended; an added ordinary container gets it together with them.
#[tokio::test]
async fn a_sidecar_without_hooks_ends_so_too() {
    if !in_own_network("launcher_gone::a_sidecar_without_hooks_ends_so_too").await {
        return;
    }
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let launcher = appear(&pod, "launcher-sock");
        let (mut sidecar, socket) = without_hooks(&pod).await;
        mutate_domain(&socket, "libvirt", DOMAIN, VMI, "Boot").await.unwrap();
        sidecar.signal(Signal::TERM);
        sleep(SEEN).await;
        assert!(sidecar.runs());
        drop(launcher);
        assert_notices(&mut sidecar, Instant::now()).await;
        assert!(!socket.exists());
    })
    .await;
}

#[tokio::test]
async fn it_serves_on_while_no_launcher_has_come() {
    if !in_own_network("launcher_gone::it_serves_on_while_no_launcher_has_come").await {
        return;
    }
    limited(async {
        let pod = Pod::new();
        let mut sidecar = pod.sidecar().start().await;
        sleep(NOTICED).await;
        assert!(sidecar.runs());
        sidecar.client().info().await.unwrap();
    })
    .await;
}

/// The launcher gives its command socket another name once, and libvirt's socket may be the last to go.
#[tokio::test]
async fn any_of_its_sockets_stands_for_the_launcher() {
    if !in_own_network("launcher_gone::any_of_its_sockets_stands_for_the_launcher").await {
        return;
    }
    limited(async {
        let pod = Pod::new();
        let mut sidecar = pod.sidecar().start().await;
        let init = appear(&pod, "launcher-init-sock");
        sleep(SEEN).await;
        fs::rename(path(&pod, "launcher-init-sock"), path(&pod, "renamed")).unwrap();
        sleep(NOTICED).await;
        assert!(sidecar.runs());
        drop(init);
        let launcher = appear(&pod, "launcher-sock");
        sleep(SEEN).await;
        let libvirt = appear(&pod, "virtqemud-sock");
        drop(launcher);
        sleep(NOTICED).await;
        assert!(sidecar.runs());
        drop(libvirt);
        assert_notices(&mut sidecar, Instant::now()).await;
    })
    .await;
}

/// What cannot be read says neither that the launcher is there nor that it has gone.
#[tokio::test]
async fn a_table_that_cannot_be_read_ends_nothing() {
    if !in_own_network("launcher_gone::a_table_that_cannot_be_read_ends_nothing").await {
        return;
    }
    limited(async {
        let pod = Pod::new();
        let launcher = appear(&pod, "launcher-sock");
        let mut sidecar = pod.sidecar().start().await;
        sleep(SEEN).await;
        sidecar.may_open(false);
        sleep(NOTICED).await;
        assert!(sidecar.runs(), "{}", sidecar.stderr());
        sidecar.may_open(true);
        sleep(SEEN).await;
        sidecar.client().info().await.unwrap();
        drop(launcher);
        assert_notices(&mut sidecar, Instant::now()).await;
    })
    .await;
}

/// SIGTERM means the end only where there is no VM; a launcher means that there may be one.
#[tokio::test]
async fn sigterm_before_the_first_call_leaves_a_launcher_its_sidecar() {
    if !in_own_network("launcher_gone::sigterm_before_the_first_call_leaves_a_launcher_its_sidecar").await {
        return;
    }
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let launcher = appear(&pod, "launcher-init-sock");
        let mut sidecar = pod.sidecar().start().await;
        sidecar.signal(Signal::TERM);
        sleep(Duration::from_millis(500)).await;
        assert!(sidecar.runs());
        sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
        drop(launcher);
        assert_notices(&mut sidecar, Instant::now()).await;
    })
    .await;
}
