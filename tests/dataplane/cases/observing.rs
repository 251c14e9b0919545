//! What people on call look at tells what is: the metrics, and doctor.

use anyhow::{Result, ensure};

use dataplane::agent::METRICS;
use dataplane::boot::boot;
use dataplane::doctor;
use dataplane::http;
use dataplane::node::{Stage, note};
use dataplane::vm::{Nic, Vm};
use dataplane::wait::{seconds, until};

pub(crate) fn metrics_and_doctor_tell_what_is(stage: &mut Stage<'_>) -> Result<()> {
    let mut nic = Nic::new("blue");
    nic.mtu = Some(9000);
    let mut vm = Vm::new(vec![nic]);
    (vm.cores, vm.multiqueue) = (3, true);
    let pod = stage.pod("a", &vm)?;
    let device = pod.devices[0].id.to_string();
    until("the port to wait for its guest", seconds(60), || state(&device) == "waiting_for_guest")?;
    let found = findings()?;
    ensure!(found == ["guest-absent"], "before the guest comes doctor finds {found:?}");

    boot(&pod)?;
    until("the port to be connected", seconds(60), || state(&device) == "connected")?;
    // OVS renews its counters every 5 s.
    let sent = || value("vhostuser_port_guest_tx_packets_total", &device, "").unwrap_or(0.0);
    until("the guest's answers to be counted", seconds(40), || stage.ping(&vm).is_ok() && sent() >= 10.0)?;
    for (metric, expected) in [("vhostuser_port_queue_pairs", 3.0), ("vhostuser_port_mtu_bytes", 9000.0)] {
        let told = value(metric, &device, "");
        ensure!(told == Some(expected), "{metric} is {told:?}, not {expected}");
    }
    note(&format!("{} packets of the guest counted, 3 queue pairs, MTU 9000", sent()));
    let found = findings()?;
    ensure!(found.is_empty(), "while all is well doctor finds {found:?}");

    pod.kill_qemu()?;
    until("the port to wait again", seconds(60), || state(&device) == "waiting_for_guest")?;
    let found = findings()?;
    ensure!(found == ["guest-gone"], "after QEMU was killed doctor finds {found:?}");
    Ok(())
}

/// The state that the metrics tell of a device's port; nothing if they tell none.
fn state(device: &str) -> String {
    let states = ["connected", "waiting_for_guest", "link_down", "failed"];
    let is = |state: &&str| value("vhostuser_port_state", device, &format!("state=\"{state}\"")) == Some(1.0);
    states.into_iter().find(is).unwrap_or_default().to_owned()
}

/// The value of a device's metric whose labels have this text.
fn value(metric: &str, device: &str, labels: &str) -> Option<f64> {
    let page = http::get(METRICS, "/metrics").ok()?;
    let device = format!("device=\"{device}\"");
    let mut lines = page.lines().filter(|line| line.starts_with(metric));
    let line = lines.find(|line| line.contains(&device) && line.contains(labels))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// The ids of all that doctor finds wrong beside what this node is without: the peers are veth devices, and neither
/// bridge has an uplink.
fn findings() -> Result<Vec<String>> {
    let mut found: Vec<_> = doctor::node()?.into_iter().map(|finding| finding.id).collect();
    let uplinks = found.extract_if(.., |id| id == "bridge-no-uplink").count();
    ensure!(uplinks == 2, "doctor finds {uplinks} bridges without uplink");
    Ok(found)
}
