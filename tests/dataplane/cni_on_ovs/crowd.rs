//! Many at once: a node that starts all its pods, and pods that all want the same.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};

use super::call::{Answer, Call};
use super::lab::{Lab, at_once, column, device, ours, plain_result, port, socket};
use super::pool::Pool;
use dataplane::agent::{CLIENT1, Grants, SOCKET_ROOT};
use dataplane::node::{Stage, ms, note};

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
    lab.untouched()?;

    // More than are held at once.
    for answer in at_once(&calls, "ADD")? {
        answer.result()?;
    }
    let kept = container(MANY / 2);
    let started = Instant::now();
    calls[0].gc(&[&kept])?.done()?;
    note(&format!("GC of {} ports: {} ms", MANY - 1, ms(started.elapsed())));
    ensure!(ours("br1")? == [port(&device(MANY / 2))?], "GC leaves {:?}", ours("br1")?);
    calls[MANY / 2].del()?.done()?;
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

/// Where the switch listens and addresses are given, there is more to take back: one wins, with one address, and keeps
/// both its socket and its address while the others are told and undone.
pub(crate) fn cni_one_of_many_rivals_gets_socket_and_address(stage: &mut Stage<'_>) -> Result<()> {
    let (lab, pool) = (Lab::new(0)?, Pool::new()?);
    let grants = Grants::admit(&stage.node.agent, "cni", &[(CLIENT1.to_owned(), 1)])?;
    let id = grants.allocations[0].ids.first().context("a device")?.clone();
    let placed = Path::new(SOCKET_ROOT).join(&id).join("pod/vhost.sock");
    let call = |rival: usize| {
        let call = pool.call(&container(rival), &id).with("timeout", 100);
        call.with("mode", "client").with("socketRoot", SOCKET_ROOT).with("applicationFile", true)
    };
    let calls: Vec<_> = (0..RIVALS).map(call).collect();
    let answers = at_once(&calls, "ADD")?;
    let won: Vec<_> = (0..RIVALS).filter(|rival| answers[*rival].result().is_ok()).collect();
    ensure!(won.len() == 1, "{} of {RIVALS} have it", won.len());
    ensure!(pool.given()? == [container(won[0])], "addresses are given to {:?}", pool.given()?);
    let result = answers[won[0]].result()?;
    let losers: Vec<_> = (0..RIVALS).filter(|rival| *rival != won[0]).map(call).collect();
    for answer in at_once(&losers, "DEL")? {
        answer.done()?;
    }
    ensure!(fs::symlink_metadata(&placed)?.file_type().is_socket(), "the winner has lost its socket");
    ensure!(pool.given()? == [container(won[0])], "the winner has lost its address");
    call(won[0]).check(&result)?.done()?;
    call(won[0]).del()?.done()?;
    ensure!(pool.given()?.is_empty(), "addresses are left with {:?}", pool.given()?);
    ensure!(fs::symlink_metadata(&placed).is_err(), "DEL leaves the socket");
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

/// A runtime that gives up and begins anew while its earlier calls still run: none comes between another's steps, so each
/// succeeds, and nothing is left.
pub(crate) fn cni_adds_dels_and_gcs_at_once(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(STORM)?;
    let calls: Vec<_> = (0..STORM).map(|number| call(number).with("toGuestKbit", 10_000)).collect();
    for _ in 0..2 {
        let answers = thread::scope(|scope| {
            let dels = scope.spawn(|| at_once(&calls, "DEL"));
            let collecting = scope.spawn(|| calls[0].gc(&["c1", "c2"]));
            let adds = at_once(&calls, "ADD")?;
            let gone = |_| anyhow!("a thread panicked");
            collecting.join().map_err(gone)??.done()?;
            dels.join().map_err(gone)??.iter().try_for_each(Answer::done)?;
            anyhow::Ok(adds)
        })?;
        answers.iter().try_for_each(|answer| answer.result().map(drop))?;
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
