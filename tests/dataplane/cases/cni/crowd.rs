//! Many at once: a node that starts all its pods, and pods that all want the same.

use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};

use super::call::{Answer, Call};
use super::lab::{Lab, at_once, column, device, ours, plain_result, port, socket};
use crate::node::{Stage, ms, note};

const MANY: usize = 100;
const RIVALS: usize = 20;
const STORM: usize = 10;

pub(crate) fn cni_a_hundred_at_once_lose_nothing(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(MANY)?;
    let calls: Vec<_> = (0..MANY).map(|number| call(number).with("toGuestKbit", 10_000)).collect();
    let started = Instant::now();
    let answers = at_once(&calls, "ADD")?;
    note(&format!("{MANY} ADDs: {} ms in all", ms(started.elapsed())));
    for (number, answer) in answers.iter().enumerate() {
        let (is, should) = (answer.result()?, plain_result(&container(number), &device(number)));
        ensure!(is == should, "ADD answered {is}, should be {should}");
    }
    let mut names = (0..MANY).map(|number| port(&device(number))).collect::<Result<Vec<_>>>()?;
    names.sort();
    ensure!(ours("br1")? == names, "ports: {:?}", ours("br1")?);
    for number in 0..MANY {
        let name = port(&device(number))?;
        let path = column("Interface", &name, "options:vhost-server-path")?;
        ensure!(path.trim_matches('"') == socket(&device(number)), "{name} connects to {path}");
        let number: i64 = column("Interface", &name, "ofport")?.parse()?;
        ensure!(number > 0, "{name} has OpenFlow port {number}");
    }
    let started = Instant::now();
    for answer in at_once(&calls, "DEL")? {
        answer.done()?;
    }
    note(&format!("{MANY} DELs: {} ms in all", ms(started.elapsed())));
    lab.untouched()
}

pub(crate) fn cni_one_of_many_rivals_gets_the_device(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let calls: Vec<_> = (0..RIVALS).map(|rival| Call::new(&container(rival), &device(0))).collect();
    let answers = at_once(&calls, "ADD")?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.result().is_ok());
    ensure!(won.len() == 1, "{} of {RIVALS} have it", won.len());
    let owner = column("Port", &port(&device(0))?, "external_ids:vhostuser-container-id")?;
    for answer in lost {
        answer.refused(
            100,
            &format!("port … of this device belongs to interface 'net1' of container '{owner}' (…"),
        )?;
    }
    // Those who have lost do not take it from the one who has won.
    let losers = calls.iter().enumerate().filter(|(rival, _)| container(*rival) != owner);
    let losers: Vec<_> = losers.map(|(_, call)| call.clone()).collect();
    for answer in at_once(&losers, "DEL")? {
        answer.done()?;
    }
    ensure!(ours("br1")?.len() == 1, "the winner has lost its port");
    Call::new(&owner, &device(0)).del()?.done()?;
    lab.untouched()
}

/// The same attachment, as a runtime does that has lost its patience: all succeed, and there is one port.
pub(crate) fn cni_the_same_add_many_times_at_once(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let calls = vec![call(0).with("toGuestKbit", 10_000); RIVALS];
    for answer in at_once(&calls, "ADD")? {
        let result = answer.result()?;
        ensure!(result == plain_result(&container(0), &device(0)), "ADD answered {result}");
    }
    ensure!(ours("br1")? == [port(&device(0))?], "ports: {:?}", ours("br1")?);
    for answer in at_once(&calls, "DEL")? {
        answer.done()?;
    }
    lab.untouched()
}

/// As long as the plugin may take: this is about loss, not about speed.
fn call(number: usize) -> Call {
    Call::new(&container(number), &device(number)).with("timeout", 100)
}

fn container(number: usize) -> String {
    format!("c{number}")
}

/// A runtime that gives up and begins anew while its earlier calls still run: each may fail, and nothing may be left.
pub(crate) fn cni_adds_dels_and_gcs_at_once(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(STORM)?;
    let calls: Vec<_> = (0..STORM).map(|number| call(number).with("toGuestKbit", 10_000)).collect();
    for _ in 0..3 {
        let answers = thread::scope(|scope| {
            let dels = scope.spawn(|| at_once(&calls, "DEL"));
            let collecting = scope.spawn(|| calls[0].gc(&["c1", "c2"]));
            let adds = at_once(&calls, "ADD")?;
            let gone = |_| anyhow!("a thread panicked");
            collecting.join().map_err(gone)??.done()?;
            dels.join().map_err(gone)??.iter().try_for_each(Answer::done)?;
            anyhow::Ok(adds)
        })?;
        for answer in answers.iter().filter(|answer| answer.result().is_err()) {
            answer.refused(104, "port vhu… has vanished from OVSDB: somebody else removed it")?;
        }
        for (number, answer) in at_once(&calls, "ADD")?.iter().enumerate() {
            let (is, should) = (answer.result()?, plain_result(&container(number), &device(number)));
            ensure!(is == should, "ADD answered {is}, should be {should}");
        }
        for answer in at_once(&calls, "DEL")? {
            answer.done()?;
        }
        lab.untouched()?;
    }
    Ok(())
}
