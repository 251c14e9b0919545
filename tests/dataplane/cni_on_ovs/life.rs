//! A device's life: what a lost DEL leaves, and what the switch loses. With the real device plugin.

use std::path::Path;
use std::thread::sleep;

use anyhow::{Context, Result, ensure};

use super::call::{Call, end_sandbox};
use super::lab::{Lab, device, ours, port, same, tables, vsctl};
use dataplane::agent::{CLIENT1, Grants, SERVER1, SOCKET_ROOT};
use dataplane::node::Stage;
use dataplane::wait::{seconds, until};

/// DEL was lost, and the next pod's ADD comes first. The late DEL hurts nobody.
pub(crate) fn cni_a_port_without_a_sandbox_is_taken_over(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let old = Call::new("old", &device(0)).with("vlan", 5).with("toGuestKbit", 10_000);
    let new = Call::new("new", &device(0)).with("name", "red");
    old.add()?.result()?;
    let whose = "interface 'net1' of container 'old' (pod 'ns/pod-old', network 'blue')";
    let port = port(&device(0))?;
    new.add()?.refused(100, &format!("port {port} of this device belongs to {whose}: …"))?;
    end_sandbox("old")?;
    let note = format!("port {port}: taken over from {whose}, whose sandbox is gone");
    let result = new.add()?.result_with(&note)?;
    let state = tables()?;
    old.del()?.done()?;
    same(&state, &tables()?)?;
    new.check(&result)?.done()?;
    new.del()?.done()?;
    lab.untouched()
}

/// DEL was lost and the pod force-deleted. The next pod asks for no network at all.
pub(crate) fn cni_a_lost_del_leaves_the_next_pod_nothing(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(0)?;
    for (resource, mode, count) in [(SERVER1, "server", 4), (CLIENT1, "client", 2)] {
        let asked = [(resource.to_owned(), count)];
        let grants = Grants::admit(&stage.node.agent, "vm-1", &asked)?;
        let id = grants.allocations[0].ids.first().context("a device")?.clone();
        let call = Call::new(mode, &id)
            .with("mode", mode)
            .with("socketRoot", SOCKET_ROOT)
            .with("toGuestKbit", 10_000);
        call.add()?.result()?;
        end_sandbox(mode)?;
        drop(grants);
        let next = Grants::admit(&stage.node.agent, "vm-2", &asked)?;
        lab.untouched()?;
        let left = Path::new(SOCKET_ROOT).join(&id).join("pod/vhost.sock");
        ensure!(!left.exists(), "{} is left", left.display());
        drop(next);
    }
    Ok(())
}

/// The switch comes back with a database of before the pod. What DEL has taken away does not come back.
pub(crate) fn cni_what_the_switch_has_lost_comes_back(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(0)?;
    for (resource, mode) in [(SERVER1, "server"), (CLIENT1, "client")] {
        let grants = Grants::admit(&stage.node.agent, "vm-1", &[(resource.to_owned(), 1)])?;
        let id = grants.allocations[0].ids.first().context("a device")?.clone();
        let call = Call::new("c1", &id).with("mode", mode).with("socketRoot", SOCKET_ROOT).with("vlan", 5);
        let call = call.with("mtu", 2000).with("toGuestKbit", 10_000).with("fromGuestKbit", 10_000);
        let (result, port) = (call.add()?.result()?, port(&id)?);
        lose(stage, &port)?;
        until("the port to come back", seconds(30), || ours("br1").is_ok_and(|ours| ours == [port.clone()]))?;
        until("CHECK to find nothing", seconds(30), || {
            call.check(&result).is_ok_and(|answer| answer.succeeded())
        })?;
        call.check(&result)?.done()?;
        call.del()?.done()?;
        lose(stage, &port)?;
        sleep(seconds(8));
        ensure!(ours("br1")?.is_empty(), "a port comes back that DEL has removed");
        lab.untouched()?;
        drop(grants);
    }
    Ok(())
}

fn lose(stage: &mut Stage<'_>, port: &str) -> Result<()> {
    stage.node.switch.stop_vswitchd()?;
    // The device plugin looks once a second.
    sleep(seconds(3));
    vsctl(&["--no-wait", "--if-exists", "del-port", port])?;
    vsctl(&["--no-wait", "--all", "destroy", "QoS"])?;
    stage.node.switch.start_vswitchd()
}
