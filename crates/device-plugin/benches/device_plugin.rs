//! What the device plugin costs with 1,000 devices: its start, memory, `Allocate`, and how soon it is registered again
//! after the kubelet was restarted. Needs root: it runs in a mount namespace of its own.
//!
//! Times are those of this machine at this moment: a busy one shows more.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use kubelet_sim::{
    Kubelet,
    messages::{AllocateRequest, ContainerAllocateRequest},
};
use tokio::{runtime::Builder, time::sleep};

const DEVICES: usize = 1000;
const RESTARTS: usize = 20;
const RESOURCE: &str = "vhostuser.network/sockets";

/// Set for the copy in a mount namespace of its own.
const INSIDE: &str = "BENCH_HAS_ITS_OWN_MOUNTS";

const CONFIG: &str = "
domain: vhostuser.network
sockets: {hostRoot: /run/vhostuser}
switches: [{name: ovs, ovsdb: /run/no-ovsdb, bridge: br}]
resources: [{name: sockets, ports: 1000, mode: server, switch: ovs}]
";

fn main() -> ExitCode {
    if env::var_os(INSIDE).is_some() {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(measure());
        return ExitCode::SUCCESS;
    }
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .args(["mount -t tmpfs run /run && mount --make-shared /run && exec \"$0\""])
        .arg(env::current_exe().unwrap())
        .env(INSIDE, "1")
        .status();
    ExitCode::from(u8::from(!status.unwrap().success()))
}

async fn measure() {
    let mut kubelet = Kubelet::start(Path::new("/run/kubelet")).await;
    fs::write("/run/config.yaml", CONFIG).unwrap();
    let started = Instant::now();
    let mut plugin = start(&kubelet);
    until(|| kubelet.devices(RESOURCE).len() == DEVICES).await;
    println!("start to all {DEVICES} devices told: {}", ms(started.elapsed()));
    println!("resident with {DEVICES} devices: {:.1} MiB", resident(&plugin));

    allocate_each(&kubelet).await;
    println!("resident after that: {:.1} MiB", resident(&plugin));
    restart_kubelet(&mut kubelet).await;
    plugin.kill().unwrap();
    plugin.wait().unwrap();
}

fn start(kubelet: &Kubelet) -> Child {
    let built = env!("CARGO_BIN_EXE_vhostuser-device-plugin");
    Command::new(env::var_os("DEVICE_PLUGIN").unwrap_or(built.into()))
        .args([
            "--config",
            "/run/config.yaml",
            "--device-info-dir",
            "/run/devinfo",
            "--listen",
            "127.0.0.1:0",
        ])
        .arg("--kubelet-dir")
        .arg(kubelet.plugin_dir())
        .arg("--pod-resources")
        .arg(kubelet.pod_resources())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// One call for each device, the first time and again: then what the pod before has left has to be removed.
async fn allocate_each(kubelet: &Kubelet) {
    let mut client = kubelet.client(RESOURCE);
    for what in ["Allocate of an empty device", "Allocate of one that a pod has used"] {
        let mut times = Vec::new();
        for number in 0..DEVICES {
            let devices_ids = vec![format!("sockets-{number}")];
            let container_requests = vec![ContainerAllocateRequest { devices_ids }];
            let began = Instant::now();
            client.allocate(AllocateRequest { container_requests }).await.unwrap();
            times.push(began.elapsed());
            fs::write(format!("/run/vhostuser/sockets-{number}/pod/vhost.sock"), "").unwrap();
        }
        println!("{what}: {}", percentiles(&mut times));
    }
}

/// From the moment that kubelet.sock is there.
async fn restart_kubelet(kubelet: &mut Kubelet) {
    let mut times = Vec::new();
    for _ in 0..RESTARTS {
        kubelet.stop().await;
        let began = Instant::now();
        kubelet.begin().await;
        until(|| !kubelet.registrations().is_empty()).await;
        times.push(began.elapsed());
        until(|| kubelet.devices(RESOURCE).len() == DEVICES).await;
    }
    println!("kubelet restart to registration: {}", percentiles(&mut times));
}

async fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it takes too long");
        sleep(Duration::from_micros(200)).await;
    }
}

fn resident(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort();
    let at = |percent: usize| ms(times[(times.len() * percent / 100).min(times.len() - 1)]);
    let distinct: BTreeSet<_> = times.iter().collect();
    assert!(distinct.len() > 1, "a clock that stands still");
    format!("p50 {}, p99 {}, most {}", at(50), at(99), ms(times[times.len() - 1]))
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
