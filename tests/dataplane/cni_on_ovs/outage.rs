//! OVSDB or ovs-vswitchd is away, or hangs: an answer in time, and nothing left of what could not be finished.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::call::{Answer, Call};
use super::lab::{Lab, OVSDB, device, info_file, ours, plain_result, port};
use dataplane::node::{Stage, note};
use dataplane::switch::Switch;
use dataplane::wait::{seconds, until};

/// The commands that need OVSDB: all but VERSION. CNI 1.1 has a code of its own for STATUS.
fn all_refused(call: &Call, message: &str) -> Result<()> {
    let refused = |answer: Answer, code| answer.in_time()?.refused(code, message);
    refused(call.add()?, 11)?;
    refused(call.del()?, 11)?;
    refused(call.check(&plain_result("c1", &device(0)))?, 11)?;
    refused(call.gc(&[])?, 11)?;
    refused(call.run("STATUS")?, 50)?;
    call.run("VERSION")?.result().map(drop)
}

pub(crate) fn cni_without_ovsdb_every_command_says_so(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0));
    let stale = "/run/cni-stale.sock";
    drop(UnixListener::bind(stale)?);
    let refused = format!("nobody listens on socket {stale}: start its server");
    // ADD and DEL try again until their time is over.
    let brief = call.with("timeout", 1);
    all_refused(&brief.with("ovsdb", stale), &refused)?;
    fs::remove_file(stale)?;

    call.add()?.result()?;
    stage.node.switch.stop()?;
    let missing =
        format!("socket {OVSDB} does not exist: check that its server runs and that this is its path");
    let default = "socket /var/run/openvswitch/db.sock does not exist: check that its server runs and that this is its \
                   path";
    let refused = all_refused(&brief, default);
    let refused = refused.and(all_refused(&brief.with("ovsdb", OVSDB), &missing));
    stage.node.switch.start_again()?;
    refused?;
    // As if nothing had been: the runtime tries again.
    call.check(&plain_result("c1", &device(0)))?.done()?;
    call.del()?.done()?;
    lab.untouched()
}

/// A restart of OVS while pods start and end, as an upgrade makes one: no pod has to be tried again.
pub(crate) fn cni_add_and_del_wait_for_ovsdb(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0));
    during_a_restart(stage, || call.add())?.result()?;
    during_a_restart(stage, || call.del())?.done()?;
    lab.untouched()
}

/// Calls while OVS is away, and starts OVS once the call has met that.
fn during_a_restart(stage: &mut Stage<'_>, call: impl FnOnce() -> Result<Answer> + Send) -> Result<Answer> {
    stage.node.switch.stop()?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(call);
        std::thread::sleep(seconds(1));
        let waits = !waiting.is_finished();
        stage.node.switch.start_again()?;
        let answer = waiting.join().map_err(|_| anyhow::anyhow!("the call panicked"))??;
        ensure!(waits, "it did not wait: {answer:?}");
        Ok(answer)
    })
}

pub(crate) fn cni_a_hung_ovsdb_hangs_nobody(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0)).with("timeout", 4);
    let server = process("ovsdb-server")?;
    kill_process(server, Signal::STOP)?;
    let said = "socket /var/run/openvswitch/db.sock: transact had no answer within …s: its server is stopped, hangs or is \
                overloaded; look at its log and restart it";
    let refused = all_refused(&call, said);
    kill_process(server, Signal::CONT)?;
    refused?;
    lab.untouched()?;
    call.add()?.result()?;
    call.del()?.done()?;
    lab.untouched()
}

pub(crate) fn cni_without_vswitchd_nothing_is_left(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(2)?;
    let (call, other) = (Call::new("c1", &device(0)).with("timeout", 4), Call::new("c2", &device(1)));
    let result = other.add()?.result()?;
    stage.node.switch.stop_vswitchd()?;
    let tested = without_vswitchd(&call, &other);
    stage.node.switch.start_vswitchd()?;
    tested?;
    lab.untouched()?;
    call.add()?.result()?;
    other.add()?.result()?;
    other.check(&result)?.done()?;
    call.del()?.done()?;
    other.del()?.done()?;
    lab.untouched()
}

fn without_vswitchd(call: &Call, other: &Call) -> Result<()> {
    let said = format!(
        "port {} is in OVSDB, but ovs-vswitchd has not carried it out within …s: check that ovs-vswitchd runs, and look \
         at its log",
        port(&device(0))?
    );
    let answer = call.add()?;
    note(&format!("ADD without ovs-vswitchd: refused after {} ms of 4000", answer.took.as_millis()));
    answer.in_time()?.refused(11, &said)?;
    ensure!(!info_file("c1").exists(), "device-info is left");
    // What is gone from the database is gone for the switch when it comes back.
    let deleted = other.with("timeout", 4).del()?;
    note(&format!("DEL without ovs-vswitchd: done after {} ms", deleted.took.as_millis()));
    deleted.in_time()?.done()?;
    call.del()?.in_time()?.done()?;
    call.gc(&[])?.in_time()?.done()
}

/// Killed, its control socket is there and nobody behind it; stopped in order, there is none, and its lock is free.
pub(crate) fn cni_status_tells_that_no_vswitchd_runs(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0));
    type End = fn(&mut Switch) -> Result<()>;
    let ends: [(End, &str); 2] = [
        (Switch::kill_vswitchd, "ovs-vswitchd does not answer: nobody listens on socket …"),
        (
            Switch::stop_vswitchd,
            "no ovs-vswitchd serves this database (nobody holds its lock ovs_vswitchd): start it",
        ),
    ];
    for (end, told) in ends {
        end(&mut stage.node.switch)?;
        let status = call.run("STATUS")?.refused(51, told);
        stage.node.switch.start_vswitchd()?;
        status?;
        call.run("STATUS")?.done()?;
    }
    lab.untouched()
}

/// The database says nothing of it: only ovs-vswitchd itself can be asked.
pub(crate) fn cni_status_tells_a_hung_vswitchd(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0)).with("timeout", 4);
    let vswitchd = process("ovs-vswitchd")?;
    kill_process(vswitchd, Signal::STOP)?;
    let status = call.run("STATUS").and_then(|answer| {
        answer
            .in_time()?
            .refused(51, "ovs-vswitchd does not answer: socket …: version had no answer within …s: …")
    });
    let add = call.add().and_then(|answer| {
        answer.in_time()?.refused(11, "port … is in OVSDB, but ovs-vswitchd has not carried it out within …")
    });
    kill_process(vswitchd, Signal::CONT)?;
    status.and(add)?;
    call.add()?.result()?;
    call.del()?.done()?;
    lab.untouched()
}

/// What was done cannot be undone then, and is told; the runtime's DEL finds it.
pub(crate) fn cni_an_ovsdb_that_goes_away_under_an_add(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0)).with("toGuestKbit", 10_000);
    stage.node.switch.stop_vswitchd()?;
    let adding = call.start("ADD")?;
    let made =
        until("the port to be in OVSDB", seconds(60), || ours("br1").is_ok_and(|ports| !ports.is_empty()));
    stage.node.switch.stop()?;
    let answer = adding.answer();
    stage.node.switch.start_again()?;
    made?;
    answer?.in_time()?.refused_with(
        11,
        "socket /var/run/openvswitch/db.sock: the server closed the connection during transact: look at its log",
        "while undoing: port: …socket /var/run/openvswitch/db.sock…",
    )?;
    ensure!(ours("br1")?.len() == 1, "the port was undone without OVSDB");
    call.del()?.done()?;
    lab.untouched()
}

/// The one process whose name begins so: nobody else runs in this namespace.
fn process(name: &str) -> Result<Pid> {
    let pids =
        fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_it = |pid: &i32| {
        let comm = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("comm"));
        comm.is_ok_and(|comm| comm.starts_with(name))
    };
    pids.filter(is_it).find_map(Pid::from_raw).with_context(|| format!("no {name} runs"))
}
