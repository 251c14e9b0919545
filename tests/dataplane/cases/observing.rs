//! What people on call look at tells what is: the metrics, and doctor.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::boot::boot;
use crate::node::{Stage, note};
use crate::vm::{Nic, Vm};
use crate::wait::{seconds, until};

pub(crate) fn metrics_and_doctor_tell_what_is(stage: &mut Stage<'_>) -> Result<()> {
    let mut nic = Nic::new("blue");
    nic.mtu = Some(9000);
    let mut vm = Vm::new(vec![nic]);
    (vm.cores, vm.multiqueue) = (3, true);
    let pod = stage.pod("a", &vm)?;
    let device = pod.devices[0].id.to_string();
    until("the port to wait for its guest", seconds(10), || state(&device) == "waiting_for_guest")?;
    ensure!(findings(&device)?.contains("guest-absent"), "doctor does not miss the guest");

    boot(&pod)?;
    until("the port to be connected", seconds(20), || state(&device) == "connected")?;
    // OVS renews its counters every 5 s.
    let sent = || value("vhostuser_port_guest_tx_packets_total", &device, "").unwrap_or(0.0);
    until("the guest's answers to be counted", seconds(40), || stage.ping(&vm).is_ok() && sent() >= 10.0)?;
    for (metric, expected) in [("vhostuser_port_queue_pairs", 3.0), ("vhostuser_port_mtu_bytes", 9000.0)] {
        let told = value(metric, &device, "");
        ensure!(told == Some(expected), "{metric} is {told:?}, not {expected}");
    }
    note(&format!("{} packets of the guest counted, 3 queue pairs, MTU 9000", sent()));
    // The peers are veth devices: this node has no uplink, and doctor says so of both bridges. Nothing else is wrong.
    let found = findings(&device)?;
    ensure!(found == BTreeSet::from(["bridge-no-uplink".to_owned()]), "doctor finds {found:?}");

    pod.libvirt.destroy(&vm.domain())?;
    until("the port to wait again", seconds(20), || state(&device) == "waiting_for_guest")
}

/// The state that the metrics tell of a device's port; nothing if they tell none.
fn state(device: &str) -> String {
    let states = ["connected", "waiting_for_guest", "link_down", "failed"];
    let is = |state: &&str| value("vhostuser_port_state", device, &format!("state=\"{state}\"")) == Some(1.0);
    states.into_iter().find(is).unwrap_or_default().to_owned()
}

/// The value of a device's metric whose labels have this text.
fn value(metric: &str, device: &str, labels: &str) -> Option<f64> {
    let page = page().ok()?;
    let device = format!("device=\"{device}\"");
    let mut lines = page.lines().filter(|line| line.starts_with(metric));
    let line = lines.find(|line| line.contains(&device) && line.contains(labels))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn page() -> Result<String> {
    let mut stream = TcpStream::connect("127.0.0.1:9310")?;
    stream.set_read_timeout(Some(seconds(5)))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: node\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The ids of all that doctor finds wrong with the node and this device. A killed guest of an earlier test may have left
/// its socket in another device's directory, which is told as long as nobody has that one.
fn findings(device: &str) -> Result<BTreeSet<String>> {
    let output = Command::new("/opt/vhostuser-device-plugin").args(["doctor", "--json"]).output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("doctor: {}", String::from_utf8_lossy(&output.stderr)))?;
    let found = report["findings"].as_array().context("doctor's report has findings")?;
    let code = output.status.code();
    ensure!(code == Some(i32::from(!found.is_empty())), "doctor ended with {code:?}: {report}");
    let place = |one: &Value| one["where"].as_str().unwrap_or_default().to_owned();
    let others = |one: &Value| {
        place(one).starts_with("device ") && !place(one).starts_with(&format!("device {device},"))
    };
    let ours = found.iter().filter(|one| !others(one));
    ours.map(|one| Ok(one["id"].as_str().context("a finding has an id")?.to_owned())).collect()
}
