//! The sidecar's XML boots, and packets pass.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use dataplane::agent::SOCKET_ROOT;
use dataplane::boot::boot;
use dataplane::domain::socket_paths;
use dataplane::guest::await_reach;
use dataplane::node::{Stage, note};
use dataplane::vm::{Nic, Vm};

const COMPUTE_HOOKS: &str = "/var/run/kubevirt-hooks";

pub(crate) fn boots_and_both_ends_reach_each_other(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let pod = stage.pod("a", &vm)?;
    for line in pod.libvirt.versions()?.lines().filter(|line| !line.is_empty()) {
        note(line);
    }
    boot(&pod)?;

    let (peer, guest) = (&stage.node.peer1, vm.nics[0].address);
    peer.await_ping(guest, 56)?;
    await_reach(peer, guest, "eth0", peer.address)?;

    let device = &pod.devices[0];
    let socket = device.node_socket();
    ensure!(fs::metadata(&socket)?.file_type().is_socket(), "{} is no socket", socket.display());

    let live = pod.libvirt.live_xml(&vm.domain())?;
    let path = socket_paths(&live)?.pop().context("the running domain has a vhost-user NIC")?;
    let inside_hooks =
        Path::new(&path).strip_prefix(COMPUTE_HOOKS).context("the domain names a path of the hook volume")?;
    let link = pod.hooks().join(inside_hooks.parent().context("a directory")?);
    let target = fs::read_link(&link).with_context(|| format!("{} is a link", link.display()))?;
    ensure!(target == device.pod_dir()?, "the link leads to {}", target.display());
    note(&format!("{path} -> {}", target.display()));
    Ok(())
}

/// The containers are what KubeVirt makes of them; otherwise the other tests would prove too little.
pub(crate) fn both_containers_are_confined(stage: &mut Stage<'_>) -> Result<()> {
    let pod = stage.pod("a", &Vm::new(vec![Nic::new("blue")]))?;
    let sidecar = pod.sidecar.as_ref().context("the pod has a sidecar")?.pid().as_raw_nonzero().to_string();
    let libvirt = only_child(&pod.compute_pid().as_raw_nonzero().to_string())?;
    for (name, pid) in [("sidecar", &sidecar), ("libvirt", &libvirt)] {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        for expected in [
            "Uid:\t107\t107\t107\t107",
            "Gid:\t107\t107\t107\t107",
            "CapBnd:\t0000000000000000",
            "NoNewPrivs:\t1",
        ] {
            ensure!(status.contains(expected), "the {name} has not {expected:?}:\n{status}");
        }
    }
    let mounts = fs::read_to_string(format!("/proc/{sidecar}/mounts"))?;
    let options = |point: &str| {
        let of_point = mounts.lines().rfind(|line| line.split(' ').nth(1) == Some(point));
        of_point.and_then(|line| line.split(' ').nth(3)).unwrap_or_default().to_owned()
    };
    ensure!(options("/").starts_with("ro"), "the sidecar's root can be written to");
    ensure!(options("/run/kubevirt-hooks").starts_with("rw"), "the sidecar's hook directory is read-only");
    // Not through /var/run, an absolute link that would lead back to the node's own.
    let seen =
        |pid: &str| Path::new(&format!("/proc/{pid}/root{SOCKET_ROOT}")).join(pod.devices[0].id.as_str());
    ensure!(seen(&libvirt).exists(), "compute does not see its device's directory");
    ensure!(!seen(&sidecar).exists(), "the sidecar sees the device directory, which only compute is given");
    Ok(())
}

fn only_child(pid: &str) -> Result<String> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    children.split_whitespace().next().map(str::to_owned).context("the container runs something")
}
