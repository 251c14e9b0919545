//! ADD where something is in its way, and what the other commands make of it: nothing is changed.

use std::fs;

use anyhow::{Result, ensure};

use super::call::Call;
use super::lab::{Lab, device, info_file, ours, plain_result, plugins_file, port, same, tables, vsctl};
use dataplane::node::Stage;

/// Every command but ADD and CHECK succeeds and changes nothing.
fn leave_it_alone(call: &Call, state: &str) -> Result<()> {
    call.del()?.done()?;
    call.gc(&[])?.done()?;
    call.run("STATUS")?.done()?;
    same(state, &tables()?)
}

pub(crate) fn cni_a_device_has_one_owner(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(2)?;
    let port = port(&device(0))?;
    let (first, second) = (Call::new("c1", &device(0)), Call::new("c2", &device(0)));
    let result = first.add()?.result()?;
    let state = tables()?;
    let taken = format!(
        "port {port} of this device belongs to interface 'net1' of container 'c1' (pod 'ns/pod-c1', network 'blue'): it \
         becomes free when the runtime detaches that one (DEL or GC); if that container no longer exists, remove the \
         port (ovs-vsctl del-port {port})"
    );
    second.add()?.refused(100, &taken)?;
    second.with("name", "red").add()?.refused(100, &taken)?;
    second.variable("CNI_CONTAINERID", "c1").variable("CNI_IFNAME", "net2").add()?.refused(100, &taken)?;
    let of_another = "the attachment is not as it was made: external_ids:pod-name is 'pod-c1', should be 'pod-c2'; \
         external_ids:vhostuser-container-id is 'c1', should be 'c2'; external_ids:vhostuser-device-info is '…/c1.json', \
         should be '…/c2.json'; …/c2.json, where Multus looks for device-info, is missing or not that of device lab-0";
    second.check(&plain_result("c2", &device(0)))?.refused(105, of_another)?;
    second.del()?.done()?;
    second.gc(&["c1"])?.done()?;
    second.with("name", "red").gc(&[])?.done()?;
    second.run("STATUS")?.done()?;

    let other_device = format!(
        "interface 'net1' of container 'c1' is attached already, by port '{port}' with another device: DEL it first"
    );
    // Multus has written the other device's device-info over the first one's.
    fs::copy(plugins_file(&device(1)), info_file("c1"))?;
    Call::new("c1", &device(1)).add()?.refused(100, &other_device)?;
    fs::copy(plugins_file(&device(0)), info_file("c1"))?;
    same(&state, &tables()?)?;
    first.check(&result)?.done()?;
    first.del()?.done()?;
    second.add()?.result()?;
    second.del()?.done()?;
    lab.untouched()
}

/// A foreign port of the device's name, whatever its marks: ours must be whole to be ours.
pub(crate) fn cni_foreign_ports_are_not_taken(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (call, port) = (Call::new("c1", &device(0)), port(&device(0))?);
    for marks in ["", "external_ids:vhostuser-owner=somebody", "external_ids:vhostuser-container-id=c1"] {
        let mut command = vec!["add-port", "br2", &port, "--", "set", "Interface", &port, "type=internal"];
        if !marks.is_empty() {
            command.extend(["--", "set", "Port", &port, marks, "external_ids:vhostuser-ifname=net1"]);
        }
        vsctl(&command)?;
        let state = tables()?;
        let taken = format!(
            "port {port} of this device exists on bridge 'br2' and was not made by this plugin: remove it if nobody \
             uses it (ovs-vsctl del-port {port})"
        );
        call.add()?.refused(100, &taken)?;
        let check = format!(
            "the attachment is not as it was made: port {port} is on bridge 'br2', should be on 'br1'; …"
        );
        call.check(&plain_result("c1", &device(0)))?.refused(105, &check)?;
        leave_it_alone(&call, &state)?;
        vsctl(&["del-port", &port])?;
    }
    lab.untouched()
}

/// OVSDB keeps no interface without a port, so it is one of another name that has it.
pub(crate) fn cni_an_interface_in_another_port_is_not_taken(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (call, port) = (Call::new("c1", &device(0)), port(&device(0))?);
    let (interface, name) =
        (["--", "--id=@i", "create", "Interface", "type=internal"], format!("name={port}"));
    let mut command = interface.to_vec();
    command.push(&name);
    command.extend([
        "--",
        "--id=@p",
        "create",
        "Port",
        "name=other",
        "interfaces=@i",
        "--",
        "add",
        "Bridge",
        "br1",
    ]);
    command.extend(["ports", "@p"]);
    vsctl(&command)?;
    let state = tables()?;
    let taken = format!(
        "interface {port} of this device exists in a port of another name: remove it (ovs-vsctl find port)"
    );
    call.add()?.refused(100, &taken)?;
    let missing = format!("the attachment is not as it was made: port {port} is missing; …");
    call.check(&plain_result("c1", &device(0)))?.refused(105, &missing)?;
    leave_it_alone(&call, &state)?;
    vsctl(&["del-port", "other"])?;
    lab.untouched()
}

pub(crate) fn cni_a_missing_bridge_is_told(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0)).with("bridge", "nobr");
    let said = "OVS has no bridge 'nobr': create it with datapath_type=netdev, correct the NAD's `bridge`, or allow this \
                plugin to create it (createBridge)";
    call.add()?.refused(103, said)?;
    call.run("STATUS")?.refused(51, said)?;
    let port = port(&device(0))?;
    let missing = format!("the attachment is not as it was made: port {port} is missing; {said}; …");
    call.check(&plain_result("c1", &device(0)))?.refused(105, &missing)?;
    call.del()?.done()?;
    call.gc(&[])?.done()?;
    lab.untouched()?;

    let call = call.with("createBridge", true);
    call.run("STATUS")?.done()?;
    call.add()?.result()?;
    ensure!(ours("nobr")?.len() == 1, "the port is not on the new bridge");
    ensure!(vsctl(&["get", "Bridge", "nobr", "datapath_type"])?.trim() == "netdev", "a bridge of the kernel");
    let marks = vsctl(&["get", "Bridge", "nobr", "external_ids"])?;
    ensure!(marks.trim() == "{vhostuser-owner=network-vhostuser-binding}", "the bridge is marked {marks}");
    call.del()?.done()?;
    // It is never deleted: somebody may have begun to use it.
    ensure!(vsctl(&["list-ports", "nobr"])?.is_empty(), "a port is left");
    vsctl(&["del-br", "nobr"])?;
    lab.untouched()
}

pub(crate) fn cni_a_bridge_of_the_kernel_is_refused(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    // This machine may have no module for it; the row is there all the same.
    vsctl(&["--no-wait", "add-br", "kernelbr", "--", "set", "Bridge", "kernelbr", "datapath_type=system"])?;
    let state = tables()?;
    let call = Call::new("c1", &device(0)).with("bridge", "kernelbr");
    let said = "bridge 'kernelbr' has datapath_type 'system': vhost-user ports need 'netdev', the userspace datapath";
    let add = call.add()?.refused(103, said);
    let status = call.with("createBridge", true).run("STATUS")?.refused(51, said);
    let rest = call.del()?.done().and(call.gc(&[])?.done()).and(same(&state, &tables()?));
    vsctl(&["--no-wait", "del-br", "kernelbr"])?;
    add.and(status).and(rest).and_then(|()| lab.untouched())
}
