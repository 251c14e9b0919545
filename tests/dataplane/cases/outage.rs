//! The switch goes away while the guest runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use dataplane::boot::{Redefine, await_guest, boot, define};
use dataplane::node::{Stage, ms, note};
use dataplane::probe::assert_shorter;
use dataplane::switch::Switch;
use dataplane::vm::{Mode, Nic, Vm};
use dataplane::wait::{seconds, until};

/// What noise allows; the documentation says what was measured.
const LONGEST_OUTAGE: Duration = seconds(30);

pub(crate) fn traffic_resumes_after_a_switch_restart(stage: &mut Stage<'_>) -> Result<()> {
    switch_goes_away(stage, Mode::Server, Switch::stop_vswitchd, 1)
}

pub(crate) fn traffic_resumes_after_a_switch_crash(stage: &mut Stage<'_>) -> Result<()> {
    switch_goes_away(stage, Mode::Server, Switch::kill_vswitchd, 1)
}

/// The other direction: OVS listens, the guest connects, and reconnects.
pub(crate) fn a_client_mode_guest_reconnects(stage: &mut Stage<'_>) -> Result<()> {
    switch_goes_away(stage, Mode::Client, Switch::stop_vswitchd, 1)
}

/// DPDK does not bind where a switch that was killed has left its socket; nobody has to remove one.
pub(crate) fn a_client_mode_guest_reconnects_after_a_crash(stage: &mut Stage<'_>) -> Result<()> {
    switch_goes_away(stage, Mode::Client, Switch::kill_vswitchd, 1)
}

/// Ends the switch and starts it again, under a guest that knows nothing of it.
pub(crate) fn switch_goes_away(
    stage: &mut Stage<'_>,
    mode: Mode,
    end: fn(&mut Switch) -> Result<()>,
    times: usize,
) -> Result<()> {
    let mut nic = Nic::new("blue");
    nic.mode = mode;
    let vm = Vm::new(vec![nic]);
    let pod = stage.pod("a", &vm)?;
    let answer = boot(&pod)?;
    ensure!(answer.contains("<reconnect") == (mode == Mode::Client), "a guest that connects must reconnect");
    for _ in 0..times {
        let probe = stage.probe(&vm)?;
        let started = Instant::now();
        end(&mut stage.node.switch)?;
        stage.node.switch.start_vswitchd()?;
        let away = ms(started.elapsed());
        let silence = probe.finish(seconds(30))?;
        note(&format!("switch away {away} ms, longest gap {} ms, lost {}", ms(silence.gap), silence.lost));
        assert_shorter(&silence, LONGEST_OUTAGE)?;
        if mode == Mode::Client {
            pod.devices[0].check_switch_socket()?;
        }
    }
    Ok(())
}

/// The failure that people meet most: the guest's end is there, the switch's is not.
pub(crate) fn without_a_switch_port_the_vm_waits(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let mut pod = stage.pod("a", &vm)?;
    let domain = vm.domain();
    pod.devices[0].forget_port()?;
    pod.devices[0].port().delete()?;
    define(&pod, Redefine::Reduced)?;
    let mut start = pod.libvirt.spawn(&["start", &domain])?;
    let waiting = "QEMU waiting for connection on";
    until("QEMU to wait for the switch", seconds(60), || pod.libvirt.qemu_log(&domain).contains(waiting))?;
    let state = pod.libvirt.state(&domain);
    ensure!(state == "paused (starting up)", "state: {state}");
    note(&format!("virsh domstate --reason: {state}"));
    let log = pod.libvirt.qemu_log(&domain);
    note(log.lines().find(|line| line.contains(waiting)).unwrap_or_default());
    ensure!(start.try_wait()?.is_none(), "virsh start did not wait");

    let plugged = Instant::now();
    // ADD again makes what is missing.
    pod.plug()?;
    let runs = || pod.libvirt.state(&domain).starts_with("running");
    until("the VM to run once its port is there", seconds(60), runs)?;
    note(&format!("running {} ms after ADD was called again", ms(plugged.elapsed())));
    ensure!(start.wait().context("virsh start")?.success(), "virsh start failed");
    await_guest(&pod)?;
    stage.await_ping(&vm)
}
