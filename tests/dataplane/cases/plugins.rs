//! KubeVirt's plugin framework: what its pipeline would define is defined, started and migrated.

use anyhow::{Context, Result, ensure};

use dataplane::boot::boot;
use dataplane::domain::socket_paths;
use dataplane::framework::Framework;
use dataplane::node::{Stage, note};
use dataplane::vm::{Nic, Vm};

use crate::migration::migrate;

/// The symptom, in the words of libvirt.
const LOST: &str = "Missing required attribute 'path' in element 'source'";

/// The gate and another `Plugin` object, but not this project's.
pub(crate) fn another_plugin_alone_makes_libvirt_refuse_the_vm(stage: &mut Stage<'_>) -> Result<()> {
    let pod = stage.pod_in("a", &Vm::new(vec![Nic::new("blue")]), Framework::AnotherPlugin)?;
    let refused = boot(&pod).err().context("libvirt has defined a NIC without a path")?;
    let message = format!("{refused:#}");
    ensure!(message.contains(LOST), "another error than expected: {message}");
    note(LOST);
    Ok(())
}

/// A VM of a cluster without the gate arrives, and goes on: the path is the hook's in both.
pub(crate) fn a_vm_migrates_into_a_cluster_with_plugins(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let mut old = stage.pod("a", &vm)?;
    let path = socket_paths(&boot(&old)?)?;
    let mut new = stage.pod_in("b", &vm, Framework::LegacySidecar)?;
    migrate(stage, &mut old, &new)?;
    drop(old);
    let next = stage.pod_in("a", &vm, Framework::LegacySidecar)?;
    migrate(stage, &mut new, &next)?;
    next.libvirt.destroy(&vm.domain())?;

    // A cold start there names the same path, so that the way back is open.
    ensure!(socket_paths(&boot(&next)?)? == path, "another path than the hook's {path:?}");
    stage.await_ping(&vm)
}

/// A binding without `sidecarImage`: no hook, no `Shutdown`, and a path without a number.
pub(crate) fn a_vm_boots_and_migrates_with_the_plugin_alone(stage: &mut Stage<'_>) -> Result<()> {
    let mut jumbo = Nic::new("blue");
    jumbo.mtu = Some(9000);
    let vm = Vm::new(vec![jumbo]);
    let mut source = stage.pod_in("a", &vm, Framework::Alone)?;
    let paths = socket_paths(&boot(&source)?)?;
    note(&paths.join(" "));
    ensure!(paths.iter().all(|path| path.starts_with("/var/run/kubevirt-plugin/vhostuser/userdata/pod")));
    let target = stage.pod_in("b", &vm, Framework::Alone)?;
    migrate(stage, &mut source, &target)?;
    stage.await_ping(&vm)
}
