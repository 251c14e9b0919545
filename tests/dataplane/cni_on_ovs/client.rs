//! `mode: client`: the switch listens, and the device plugin's daemon puts its socket into the device's directory.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::call::Call;
use super::lab::{Lab, column, device, info_file, make_device, ours, port, socket};
use dataplane::agent::{CLIENT1, Grants, SOCKET_ROOT};
use dataplane::node::{Stage, note};
use dataplane::switch::LISTENING_SOCKETS;

/// With the real daemon, and the device-info that it has written.
pub(crate) fn cni_a_listening_switch_and_its_daemon(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(0)?;
    let grants = Grants::admit(&stage.node.agent, "cni", &[(CLIENT1.to_owned(), 1)])?;
    let id = grants.allocations[0].ids.first().context("a device")?.clone();
    let call = Call::new("c1", &id).with("mode", "client").with("socketRoot", SOCKET_ROOT);
    let placed = Path::new(SOCKET_ROOT).join(&id).join("pod/vhost.sock");
    for _ in 0..2 {
        let answer = call.add()?;
        note(&format!("ADD with the daemon's help: {} ms", answer.took.as_millis()));
        let result = answer.result()?;
        ensure!(
            result["interfaces"][0]["socketPath"] == placed.to_string_lossy().as_ref(),
            "ADD answered {result}"
        );
        ensure!(fs::symlink_metadata(&placed)?.file_type().is_socket(), "{} is no socket", placed.display());
        let name = port(&id)?;
        ensure!(column("Interface", &name, "type")? == "dpdkvhostuser", "another type");
        ensure!(column("Interface", &name, "options")? == "{}", "options of another type");
        let info: Value = serde_json::from_slice(&fs::read(info_file("c1"))?)?;
        ensure!(info["vhost-user"]["mode"] == "client", "device-info says {info}");
        call.check(&result)?.done()?;
        ensure!(call.add()?.result()? == result, "a repeated ADD answers something else");

        fs::rename(&placed, placed.with_extension("moved"))?;
        let away = format!(
            "the attachment is not as it was made: the switch's socket is not at {}",
            placed.display()
        );
        call.check(&result)?.refused(105, &away)?;
        // As a DEL that was killed leaves it.
        fs::remove_file(placed.with_extension("moved"))?;
        ensure!(call.add()?.result()? == result, "an ADD after a killed DEL answers something else");
        call.check(&result)?.done()?;

        call.del()?.done()?;
        ensure!(fs::symlink_metadata(&placed).is_err(), "DEL leaves the socket");
        ensure!(!Path::new(LISTENING_SOCKETS).join(&name).exists(), "the switch's own socket is left");
        lab.untouched()?;
    }
    Ok(())
}

/// Nobody places the socket of a device that the daemon does not know.
pub(crate) fn cni_a_listening_switch_without_a_daemon(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(0)?;
    make_device(&device(0), "client")?;
    // What an earlier port has left must not be taken for this one's.
    drop(std::os::unix::net::UnixListener::bind(socket(&device(0)))?);
    let call = Call::new("c1", &device(0)).with("timeout", 4);
    let name = port(&device(0))?;
    let answer = call.add()?;
    note(&format!("refused after {} ms of 4000", answer.took.as_millis()));
    let said = format!(
        "port {name} listens, but its socket is not at {} after …s: the device plugin's daemon on this node puts it there; \
         check that vhostuser-device-plugin runs and that its switch's `sockets` is the directory where OVS makes sockets",
        socket(&device(0))
    );
    answer.in_time()?.refused(11, &said)?;
    ensure!(ours("br1")?.is_empty(), "the port is left");
    ensure!(!info_file("c1").exists(), "device-info is left");
    ensure!(!Path::new(LISTENING_SOCKETS).join(&name).exists(), "the switch's socket is left");
    lab.untouched()
}

/// Two ends that would both listen, or both connect.
pub(crate) fn cni_the_nads_mode_must_be_the_devices(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    Call::new("c1", &device(0)).with("mode", "client").add()?.refused(
        102,
        "device lab-0: …: its mode is 'server' (guest listens, switch connects), the NAD's is 'client' (…): correct the \
         NAD, or name a resource of that mode",
    )?;
    lab.untouched()
}

/// DPDK does not bind where something is already: OVS reports it, ADD repeats it, and the port goes again.
pub(crate) fn cni_what_ovs_cannot_make_is_told_and_undone(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(0)?;
    make_device(&device(0), "client")?;
    let name = port(&device(0))?;
    let obstacle = Path::new(LISTENING_SOCKETS).join(&name);
    fs::create_dir(&obstacle)?;
    let call = Call::new("c1", &device(0)).with("toGuestKbit", 10_000).with("timeout", 8);
    let answer = call.add();
    fs::remove_dir(&obstacle)?;
    let answer = answer?;
    note(&format!("refused after {} ms", answer.took.as_millis()));
    answer.refused(
        104,
        &format!("OVS could not make port {name}: '…{name}…': correct what it names, and look at …"),
    )?;
    lab.untouched()
}

/// What kuryr wrote for applications, so that testpmd can be started from it.
pub(crate) fn cni_the_application_file_says_what_testpmd_needs(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0)).with("applicationFile", true);
    let call = call.with("runtimeConfig", json!({ "mac": "02:00:00:00:00:0a" }));
    call.add()?.result()?;
    let file = Path::new(&socket(&device(0))).with_file_name("vhostuser.json");
    let said: Value = serde_json::from_slice(&fs::read(&file)?)?;
    let should = json!({ "vhostname": "vhost.sock", "vhostmac": "02:00:00:00:00:0a", "mode": "server" });
    ensure!(said == should, "the file says {said}");
    call.del()?.done()?;
    ensure!(!file.exists(), "DEL leaves the file");
    lab.untouched()
}
