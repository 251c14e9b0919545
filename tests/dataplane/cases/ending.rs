//! A sidecar that outlives its VM blocks the pod; one that ends too early strands it.

use anyhow::{Result, anyhow};
use rustix::process::Signal;

use dataplane::boot::boot;
use dataplane::guest::power_off;
use dataplane::node::{Stage, ms, note};
use dataplane::vm::{Nic, Vm};
use dataplane::wait::{seconds, until};

pub(crate) fn after_guest_power_off_shutdown_ends_the_sidecar(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let mut pod = stage.pod("a", &vm)?;
    boot(&pod)?;
    power_off(&stage.node.peer1, vm.nics[0].address)?;
    let off = || pod.libvirt.state(&vm.domain()).starts_with("shut off");
    until("the guest to power off", seconds(30), off)?;
    pod.shutdown_sidecar()
}

pub(crate) fn sigterm_does_not_end_the_service_of_a_running_vm(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let mut pod = stage.pod("a", &vm)?;
    boot(&pod)?;
    let sidecar = pod.sidecar.as_mut().ok_or_else(|| anyhow!("the pod has a sidecar"))?;
    sidecar.signal(Signal::TERM);
    // Answered after the signal: the hook still serves.
    pod.on_define_domain(&vm.domain_xml())?;
    pod.libvirt.destroy(&vm.domain())?;
    pod.shutdown_sidecar()
}

pub(crate) fn the_sidecar_follows_a_killed_launcher(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let mut pod = stage.pod("a", &vm)?;
    boot(&pod)?;
    pod.kill_compute()?;
    let after = pod.await_sidecar_exit(seconds(60))?;
    note(&format!("ended by itself {} ms after its launcher", ms(after)));
    Ok(())
}
