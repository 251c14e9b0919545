//! The plugin is killed at each of its steps: what it leaves is finished, or cleared away, by the next call.

use anyhow::{Result, ensure};

use super::call::{Answer, Call};
use super::lab::{Lab, device, ours, plain_result, port};
use super::proxy::{Fault, Proxy};
use dataplane::node::{Stage, note};

type Command = fn(&Call) -> Result<Answer>;

/// With a limit: its row is not one that goes with its port.
fn call() -> Call {
    Call::new("c1", &device(0)).with("toGuestKbit", 10_000)
}

fn under(fault: Fault, run: impl Fn(&Call) -> Result<Answer>) -> Result<(Answer, usize)> {
    let proxy = Proxy::new(fault)?;
    let answer = run(&call().with("ovsdb", Proxy::socket().to_str()).with("timeout", 8))?;
    Ok((answer, proxy.requests().len()))
}

/// Before and after each request of an undisturbed call.
fn kills(requests: usize) -> impl Iterator<Item = Fault> {
    (0..requests).flat_map(|at| [Fault::KillBefore(at), Fault::KillAfter(at)])
}

fn gc(call: &Call) -> Result<Answer> {
    call.gc(&[])
}

pub(crate) fn cni_a_killed_add_can_be_repeated_or_undone(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (answer, requests) = under(Fault::Nothing, Call::add)?;
    answer.result()?;
    call().del()?.done()?;
    let mut left = 0;
    for fault in kills(requests) {
        for undo in [Call::del as Command, gc] {
            under(fault, Call::add)?.0.killed()?;
            left += ours("br1")?.len();
            undo(&call())?.done()?;
            lab.untouched()?;
        }
        under(fault, Call::add)?.0.killed()?;
        let result = call().add()?.result()?;
        ensure!(result == plain_result("c1", &device(0)), "after {fault:?} ADD answers {result}");
        ensure!(ours("br1")? == [port(&device(0))?], "after {fault:?} there are {:?}", ours("br1")?);
        call().check(&result)?.done()?;
        call().del()?.done()?;
        lab.untouched()?;
    }
    ensure!(left > 0, "it was always killed before it had changed anything");
    note(&format!("killed at {} steps, three times each", 2 * requests));
    Ok(())
}

pub(crate) fn cni_a_killed_del_or_gc_can_be_repeated(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    for (name, killed) in [("DEL", Call::del as Command), ("GC", gc)] {
        call().add()?.result()?;
        let (answer, requests) = under(Fault::Nothing, killed)?;
        answer.done()?;
        for fault in kills(requests) {
            for again in [Call::del as Command, gc] {
                call().add()?.result()?;
                under(fault, killed)?.0.killed()?;
                again(&call())?.done()?;
                lab.untouched()?;
            }
            call().add()?.result()?;
            under(fault, killed)?.0.killed()?;
            // The runtime has given up and begins anew.
            call().add()?.result()?;
            call().del()?.done()?;
            lab.untouched()?;
        }
        note(&format!("{name} killed at {} steps, three times each", 2 * requests));
    }
    Ok(())
}

/// Whether the port was made is not known then, so it is removed.
pub(crate) fn cni_an_add_whose_answer_is_lost_leaves_nothing(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (answer, requests) = under(Fault::Nothing, Call::add)?;
    answer.result()?;
    call().del()?.done()?;
    for at in 0..requests {
        let (answer, _) = under(Fault::Swallow(at), Call::add)?;
        answer.refused(11, "socket /run/cni-proxy/db.sock: transact had no answer within …s: …")?;
        lab.untouched()?;
    }
    Ok(())
}
