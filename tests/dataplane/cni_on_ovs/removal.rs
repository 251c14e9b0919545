//! What DEL and GC remove when much is gone already, and what they must leave.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::call::Call;
use super::lab::{
    INFO, Lab, ROOT, device, device_dir, info_file, ours, plain_result, plugins_file, port, same, tables,
    vsctl,
};
use dataplane::node::Stage;

/// OVSDB is on a disk, everything below /run is not.
pub(crate) fn cni_del_after_a_reboot(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(2)?;
    let calls =
        [0, 1].map(|number| Call::new(&format!("c{number}"), &device(number)).with("toGuestKbit", 10_000));
    for call in &calls {
        call.with("applicationFile", true).add()?.result()?;
    }
    stage.node.switch.stop()?;
    fs::remove_dir_all(ROOT)?;
    fs::remove_dir_all(INFO)?;
    fs::remove_file(plugins_file(&device(0)))?;
    stage.node.switch.start_again()?;
    ensure!(ours("br1")?.len() == 2, "the database is not the one of before");
    // Runtimes have lost the namespace by then, and Multus the device.
    calls[0].variable("CNI_NETNS", "").with("deviceID", Value::Null).del()?.done()?;
    ensure!(ours("br1")? == [port(&device(1))?], "ports: {:?}", ours("br1")?);
    calls[1].gc(&[])?.done()?;
    lab.untouched()
}

pub(crate) fn cni_del_with_everything_gone(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0));
    call.add()?.result()?;
    vsctl(&["del-port", &port(&device(0))?])?;
    fs::remove_dir_all(ROOT)?;
    fs::remove_dir_all(INFO)?;
    fs::remove_file(plugins_file(&device(0)))?;
    call.variable("CNI_NETNS", "").variable("CNI_ARGS", "nonsense").del()?.done()?;
    // What only ADD needs stops nobody from tidying up.
    let bad =
        call.with("bridge", "nobr").with("mtu", "x").with("unknown", true).with("runtimeConfig", Value::Null);
    bad.del()?.done()?;
    lab.untouched()
}

/// The kubelet gives a device to a new pod before the runtime has got round to the old one's DEL.
pub(crate) fn cni_a_late_del_leaves_the_next_owner_alone(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (old, new) =
        (Call::new("old", &device(0)), Call::new("new", &device(0)).with("applicationFile", true));
    old.add()?.result()?;
    old.del()?.done()?;
    let result = new.add()?.result()?;
    let state = tables()?;
    old.del()?.done()?;
    old.gc(&["new"])?.done()?;
    same(&state, &tables()?)?;
    new.check(&result)?.done()?;
    let application = fs::read_to_string(device_dir(&device(0)).join("vhostuser.json"))?;
    ensure!(
        application == r#"{"mode":"server","vhostmac":"","vhostname":"vhost.sock"}"#,
        "it says {application}"
    );
    ensure!(info_file("new").exists(), "device-info of the new owner is gone");
    new.del()?.done()?;
    ensure!(fs::read_dir(device_dir(&device(0)))?.next().is_none(), "files left in the device's directory");
    lab.untouched()
}

pub(crate) fn cni_gc_removes_exactly_its_own(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(5)?;
    let call = |number: usize| Call::new(&format!("c{number}"), &device(number)).with("toGuestKbit", 10_000);
    call(0).add()?.result()?;
    call(1).add()?.result()?;
    call(2).variable("CNI_IFNAME", "net2").add()?.result()?;
    call(3).with("name", "red").add()?.result()?;
    call(4).with("bridge", "br2").add()?.result()?;

    let list = |name: &str, list: Value| call(0).with(name, list).run("GC");
    let missing = "network configuration: cni.dev/valid-attachments: is missing: GC does not guess which attachments are in \
                   use";
    let state = tables()?;
    call(0).run("GC")?.refused(7, missing)?;
    list("cni.dev/valid-attachments", json!(["c1"]))?.refused(
        7,
        "network configuration: cni.dev/valid-attachments: each must have the texts containerID and ifname",
    )?;
    same(&state, &tables()?)?;

    // The third one's container is listed, with another interface; the name of the list is that of early runtimes.
    let valid = json!([{ "containerID": "c1", "ifname": "net1" }, { "containerID": "c2", "ifname": "net1" }]);
    list("cni.dev/attachments", valid)?.done()?;
    let mut left = [port(&device(1))?, port(&device(3))?];
    left.sort();
    ensure!(ours("br1")? == left, "left: {:?}", ours("br1")?);
    ensure!(ours("br2")?.is_empty(), "the network's port on another bridge is left");
    call(1).check(&plain_result("c1", &device(1)))?.done()?;

    call(0).gc(&[])?.done()?;
    ensure!(ours("br1")? == [port(&device(3))?], "left: {:?}", ours("br1")?);
    call(3).with("name", "red").gc(&[])?.done()?;
    lab.untouched()
}
