//! Addresses from IPAM plugins: one that writes down what it was asked, and the CNI project's own `host-local`.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::call::Call;
use super::lab::{Lab, column, device, info_file, ours, port, vsctl};
use super::pool::Pool;
use dataplane::node::{Stage, note};
use dataplane::wait::{seconds, until};

pub(crate) fn cni_addresses_are_taken_once_and_given_back(_: &mut Stage<'_>) -> Result<()> {
    let (lab, pool) = (Lab::new(1)?, Pool::new()?);
    let call = pool.call("c1", &device(0));
    let result = call.add()?.result()?;
    let ips = json!([{ "address": "192.0.2.77/24", "interface": 0 }]);
    ensure!(result["ips"] == ips, "ADD answered {result}");
    pool.expect(&["ADD"])?;
    ensure!(call.add()?.result()? == result, "a repeated ADD answers something else");
    pool.expect(&[])?;
    call.check(&result)?.done()?;
    call.run("STATUS")?.done()?;
    call.gc(&["c1"])?.done()?;
    pool.expect(&["CHECK", "STATUS", "GC"])?;
    let old = call.with("cniVersion", "0.4.0");
    call.del()?.done()?;
    pool.expect(&["DEL"])?;
    let result = old.add()?.result()?;
    let with_family = json!([{ "version": "4", "address": "192.0.2.77/24", "interface": 0 }]);
    ensure!(result["ips"] == with_family, "ADD of 0.4.0 answered {result}");
    old.del()?.done()?;
    lab.untouched()
}

pub(crate) fn cni_without_addresses_there_is_no_port(_: &mut Stage<'_>) -> Result<()> {
    let (lab, pool) = (Lab::new(1)?, Pool::new()?);
    let call = pool.call("c1", &device(0));
    pool.set("ADD-fails", true)?;
    call.add()?.refused(42, "IPAM plugin 'pool': no address is left")?;
    // The specification wants DEL after a failed ADD.
    pool.expect(&["ADD", "DEL"])?;
    lab.untouched()?;
    pool.set("ADD-fails", false)?;

    call.with("bridge", "nobr").add()?.refused(103, "OVS has no bridge 'nobr'…")?;
    pool.expect(&[])?;
    let none = call.with("ipam", json!({ "type": "none" }));
    none.add()?.refused(5, "IPAM plugin 'none': is in none of the directories of CNI_PATH: /run/cni-ipam")?;
    lab.untouched()?;

    call.add()?.result()?;
    pool.set("DEL-fails", true)?;
    call.del()?.refused(42, "IPAM plugin 'pool': no address is left")?;
    // An address is given back after the port is gone; the runtime tries again.
    ensure!(ours("br1")?.is_empty(), "the port waits for its address");
    pool.set("DEL-fails", false)?;
    call.del()?.done()?;
    pool.expect(&["ADD", "DEL", "DEL"])?;
    lab.untouched()
}

/// What fails after the addresses were taken gives them back.
pub(crate) fn cni_addresses_go_back_when_the_port_fails(stage: &mut Stage<'_>) -> Result<()> {
    let (lab, pool) = (Lab::new(1)?, Pool::new()?);
    stage.node.switch.stop_vswitchd()?;
    let added = pool.call("c1", &device(0)).with("timeout", 4).add();
    stage.node.switch.start_vswitchd()?;
    added?.refused(11, "port … is in OVSDB, but ovs-vswitchd has not carried it out within …")?;
    pool.expect(&["ADD", "DEL"])?;
    lab.untouched()
}

pub(crate) fn cni_a_hung_ipam_plugin_hangs_nobody(_: &mut Stage<'_>) -> Result<()> {
    let (lab, pool) = (Lab::new(1)?, Pool::new()?);
    let call = pool.call("c1", &device(0)).with("timeout", 4);
    pool.set("ADD-hangs", true)?;
    let answer = call.add()?;
    note(&format!("refused after {} ms of 4000", answer.took.as_millis()));
    answer
        .in_time()?
        .refused(11, "IPAM plugin 'pool': /run/cni-ipam/pool: ADD: did not end in time and was killed")?;
    pool.expect(&["ADD", "DEL"])?;
    lab.untouched()
}

/// The plugin that most clusters have, with its own record of what is given.
pub(crate) fn cni_host_local_gives_and_takes_addresses(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(2)?;
    let record = Path::new("/run/cni-host-local");
    let range = json!([[{ "subnet": "192.0.2.0/24", "rangeStart": "192.0.2.50", "gateway": "192.0.2.1" }]]);
    let ipam = json!({ "type": "host-local", "dataDir": record, "ranges": range, "routes": [{ "dst": "0.0.0.0/0" }] });
    // Debian's speaks 1.0.0.
    let call = |number: usize| {
        let call = Call::new(&format!("c{number}"), &device(number)).with("cniVersion", "1.0.0");
        call.with("ipam", ipam.clone()).variable("CNI_PATH", "/usr/lib/cni")
    };
    let results = [call(0).add()?.result()?, call(1).add()?.result()?];
    for (result, address) in results.iter().zip(["192.0.2.50/24", "192.0.2.51/24"]) {
        let ips = json!([{ "address": address, "gateway": "192.0.2.1", "interface": 0 }]);
        ensure!(
            result["ips"] == ips && result["routes"] == json!([{ "dst": "0.0.0.0/0" }]),
            "ADD answered {result}"
        );
    }
    ensure!(call(0).add()?.result()? == results[0], "a repeated ADD answers something else");
    call(0).check(&results[0])?.done()?;
    let given = || -> Result<usize> {
        let names = fs::read_dir(record.join("blue"))?.map(|file| Ok(file?.file_name()));
        let names = names.collect::<Result<Vec<_>>>()?;
        Ok(names.iter().filter(|name| name.to_string_lossy().starts_with("192.0.2.")).count())
    };
    ensure!(given()? == 2, "{} addresses are given", given()?);
    for number in [0, 1] {
        call(number).del()?.done()?;
    }
    ensure!(given()? == 0, "{} addresses are left", given()?);
    fs::remove_dir_all(record)?;
    lab.untouched()
}

/// The runtime's result, the port's note and the configuration must agree on what was given.
pub(crate) fn cni_check_finds_each_deviation_of_addresses(_: &mut Stage<'_>) -> Result<()> {
    let (lab, pool) = (Lab::new(1)?, Pool::new()?);
    let (call, port) = (pool.call("c1", &device(0)), port(&device(0))?);
    let result = call.add()?.result()?;
    call.check(&result)?.done()?;
    let said = |what: &str| format!("the attachment is not as it was made: {what}");
    let with = |key: &str, value: Value| {
        let mut result = result.clone();
        result[key] = value;
        call.check(&result)
    };
    let ours = "192.0.2.77/24";
    let missing = format!("prevResult has no address {ours}, which IPAM gave");
    with("ips", Value::Null)?.refused(105, &said(&missing))?;
    let other = json!([{ "address": "192.0.2.78/24", "interface": 0 }]);
    let more = "prevResult has the address 192.0.2.78/24, which IPAM did not give";
    with("ips", other)?.refused(105, &said(&format!("{missing}; {more}")))?;
    let none = format!("prevResult has the address {ours}, which IPAM did not give");
    let note = column("Port", &port, "external_ids:vhostuser-ipam")?;
    vsctl(&["remove", "Port", &port, "external_ids", "vhostuser-ipam"])?;
    let lost = "external_ids:vhostuser-ipam is missing, which tells what IPAM gave";
    call.check(&result)?.refused(105, &said(lost))?;
    // A repeated ADD does not answer without them.
    let taken = format!(
        "interface 'net1' of container 'c1' is attached already, and otherwise: {lost}; DEL it first"
    );
    call.add()?.refused(100, &taken)?;
    call.with("ipam", Value::Null).check(&result)?.refused(105, &said(&none))?;
    vsctl(&["set", "Port", &port, &format!("external_ids:vhostuser-ipam={note}")])?;
    call.check(&result)?.done()?;
    call.del()?.done()?;
    lab.untouched()
}

/// A runtime that has given up an ADD which still waits for its address: DEL waits too, and then nothing is left.
pub(crate) fn cni_a_del_waits_for_the_add_that_is_under_way(_: &mut Stage<'_>) -> Result<()> {
    let (lab, pool) = (Lab::new(1)?, Pool::new()?);
    let call = pool.call("c1", &device(0));
    pool.set("ADD-thinks", true)?;
    let adding = call.start("ADD")?;
    until("the IPAM plugin to be asked", seconds(60), || pool.is_asked())?;
    let deleted = call.del()?;
    let added = adding.answer()?;
    note(&format!("ADD took {} ms, DEL {} ms", added.took.as_millis(), deleted.took.as_millis()));
    added.result()?;
    deleted.done()?;
    pool.expect(&["ADD", "DEL"])?;
    ensure!(pool.given()?.is_empty(), "addresses are left with {:?}", pool.given()?);
    ensure!(!info_file("c1").exists(), "device-info is left");
    lab.untouched()
}
