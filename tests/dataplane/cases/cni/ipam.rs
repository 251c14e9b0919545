//! Addresses from an IPAM plugin, played by a script that writes down what it was asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::json;

use super::call::Call;
use super::lab::{Lab, device, ours};
use crate::node::{Stage, note};
use crate::wait::seconds;

const PLUGINS: &str = "/run/cni-ipam";

const ASKED: &str = "/run/cni-ipam/asked";

const SCRIPT: &str = "\
#!/bin/sh
echo \"$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME\" >> /run/cni-ipam/asked
[ ! -e \"/run/cni-ipam/$CNI_COMMAND-fails\" ] || { echo '{\"code\":42,\"msg\":\"no address is left\"}'; exit 1; }
[ ! -e \"/run/cni-ipam/$CNI_COMMAND-hangs\" ] || exec sleep 60
[ $CNI_COMMAND != ADD ] || echo '{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"192.0.2.77/24\"}]}'
";

/// The script, and what it was asked; it goes with this value.
struct Stub;

impl Stub {
    fn new() -> Result<Self> {
        fs::create_dir_all(PLUGINS)?;
        let script = Path::new(PLUGINS).join("stub");
        fs::write(&script, SCRIPT)?;
        fs::set_permissions(script, fs::Permissions::from_mode(0o755))?;
        Ok(Self)
    }

    fn call(&self) -> Call {
        Call::new("c1", &device(0)).with("ipam", json!({ "type": "stub" })).variable("CNI_PATH", PLUGINS)
    }

    /// What it was asked since the last look.
    fn asked(&self) -> Result<Vec<String>> {
        let asked = fs::read_to_string(ASKED).unwrap_or_default();
        let _ = fs::remove_file(ASKED);
        let ours = asked.lines().map(|line| line.strip_suffix(" c1 net1").unwrap_or(line).to_owned());
        Ok(ours.collect())
    }

    fn expect(&self, asked: &[&str]) -> Result<()> {
        let is = self.asked()?;
        ensure!(is == asked, "the IPAM plugin was asked {is:?}, should be {asked:?}");
        Ok(())
    }

    /// A command that fails, or hangs, as long as this file is there.
    fn set(&self, how: &str, to: bool) -> Result<()> {
        let file = Path::new(PLUGINS).join(how);
        if to { fs::write(file, "") } else { fs::remove_file(file) }.map_err(Into::into)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(PLUGINS);
    }
}

pub(crate) fn cni_addresses_are_taken_once_and_given_back(_: &mut Stage<'_>) -> Result<()> {
    let (lab, stub) = (Lab::new(1)?, Stub::new()?);
    let call = stub.call();
    let result = call.add()?.result()?;
    let ips = json!([{ "address": "192.0.2.77/24", "interface": 0 }]);
    ensure!(result["ips"] == ips, "ADD answered {result}");
    stub.expect(&["ADD"])?;
    ensure!(call.add()?.result()? == result, "a repeated ADD answers something else");
    stub.expect(&[])?;
    call.check(&result)?.done()?;
    call.run("STATUS")?.done()?;
    call.gc(&["c1"])?.done()?;
    stub.expect(&["CHECK", "STATUS", "GC"])?;
    let old = call.with("cniVersion", "0.4.0");
    call.del()?.done()?;
    stub.expect(&["DEL"])?;
    let result = old.add()?.result()?;
    let with_family = json!([{ "version": "4", "address": "192.0.2.77/24", "interface": 0 }]);
    ensure!(result["ips"] == with_family, "ADD of 0.4.0 answered {result}");
    old.del()?.done()?;
    lab.untouched()
}

pub(crate) fn cni_without_addresses_there_is_no_port(_: &mut Stage<'_>) -> Result<()> {
    let (lab, stub) = (Lab::new(1)?, Stub::new()?);
    let call = stub.call();
    stub.set("ADD-fails", true)?;
    call.add()?.refused(42, "IPAM plugin 'stub': no address is left")?;
    // The specification wants DEL after a failed ADD.
    stub.expect(&["ADD", "DEL"])?;
    lab.untouched()?;
    stub.set("ADD-fails", false)?;

    call.with("bridge", "nobr").add()?.refused(103, "OVS has no bridge 'nobr'…")?;
    stub.expect(&[])?;
    let none = call.with("ipam", json!({ "type": "none" }));
    none.add()?.refused(5, "IPAM plugin 'none': is in none of the directories of CNI_PATH: /run/cni-ipam")?;
    lab.untouched()?;

    call.add()?.result()?;
    stub.set("DEL-fails", true)?;
    call.del()?.refused(42, "IPAM plugin 'stub': no address is left")?;
    // An address is given back after the port is gone; the runtime tries again.
    ensure!(ours("br1")?.is_empty(), "the port waits for its address");
    stub.set("DEL-fails", false)?;
    call.del()?.done()?;
    stub.expect(&["ADD", "DEL", "DEL"])?;
    lab.untouched()
}

/// What fails after the addresses were taken gives them back.
pub(crate) fn cni_addresses_go_back_when_the_port_fails(stage: &mut Stage<'_>) -> Result<()> {
    let (lab, stub) = (Lab::new(1)?, Stub::new()?);
    stage.node.switch.stop_vswitchd()?;
    let added = stub.call().with("timeout", 4).add();
    stage.node.switch.start_vswitchd()?;
    added?.refused(11, "port … is in OVSDB, but ovs-vswitchd has not carried it out within …")?;
    stub.expect(&["ADD", "DEL"])?;
    lab.untouched()
}

pub(crate) fn cni_a_hung_ipam_plugin_hangs_nobody(_: &mut Stage<'_>) -> Result<()> {
    let (lab, stub) = (Lab::new(1)?, Stub::new()?);
    let call = stub.call().with("timeout", 4);
    stub.set("ADD-hangs", true)?;
    let answer = call.add()?;
    note(&format!("refused after {} ms of 4000", answer.took.as_millis()));
    answer
        .within(seconds(5))?
        .refused(11, "IPAM plugin 'stub': /run/cni-ipam/stub: ADD: did not end in time and was killed")?;
    stub.expect(&["ADD", "DEL"])?;
    lab.untouched()
}
