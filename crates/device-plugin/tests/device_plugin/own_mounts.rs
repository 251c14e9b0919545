//! A copy of this program, in which one test has the machine's `/run` and network to itself.

use std::{future::Future, time::Duration};

use rustix::process::geteuid;
use tokio::{process::Command, time::timeout};

/// The most that one test may take.
const TEST: Duration = Duration::from_secs(90);

/// Set for the copy.
const INSIDE: &str = "DEVICE_PLUGIN_TEST_HAS_ITS_OWN_MOUNTS";

/// Runs `test`, whose name (as `cargo test` lists it) is `name`, in a copy of this program with mounts and a loopback
/// interface of its own.
pub async fn alone(name: &str, test: impl Future<Output = ()>) {
    alone_with(name, "ip link set lo up", test).await;
}

/// The same with a shell command that sets up the network.
pub async fn alone_with(name: &str, script: &str, test: impl Future<Output = ()>) {
    if std::env::var_os(INSIDE).is_some() {
        return timeout(TEST, test).await.expect("the test ends in time");
    }
    if !geteuid().is_root() {
        eprintln!("left out: {name} mounts, which needs root");
        return;
    }
    let script = format!("mount -t tmpfs run /run && mount --make-shared /run && {script} && exec \"$@\"");
    let mut copy = Command::new("unshare");
    copy.args(["--mount", "--net", "--propagation", "private", "--", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .kill_on_drop(true);
    let output = timeout(TEST, copy.output()).await.expect("the copy ends in time").unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("1 passed"), "no test of the name {name}: {stdout}");
}
