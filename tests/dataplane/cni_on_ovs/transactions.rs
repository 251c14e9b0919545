//! How often the plugin speaks to OVSDB, and how often it changes something there.

use anyhow::{Result, ensure};

use super::call::{Answer, Call};
use super::lab::{Lab, device};
use super::proxy::{Fault, Proxy};
use dataplane::node::{Stage, note};

type Run<'r> = &'r dyn Fn(&Call) -> Result<Answer>;

/// Requests and, of these, transactions that change something.
fn counted(call: &Call, run: impl Fn(&Call) -> Result<Answer>) -> Result<(Answer, usize, usize)> {
    let proxy = Proxy::new(Fault::Nothing)?;
    let answer = run(&call.with("ovsdb", Proxy::socket().to_str()))?;
    Ok((answer, proxy.requests().len(), proxy.writing()))
}

pub(crate) fn cni_one_transaction_changes_everything(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(2)?;
    let call =
        Call::new("c1", &device(0)).with("toGuestKbit", 10_000).with("fromGuestKbit", 10_000).with("vlan", 7);
    let (answer, requests, writing) = counted(&call, Call::add)?;
    let result = answer.result()?;
    ensure!(writing == 1, "ADD has {writing} transactions that change something");
    note(&format!("ADD: {requests} requests"));
    Call::new("c2", &device(1)).add()?.result()?;

    let reading: [(&str, Run<'_>); 4] = [
        ("CHECK", &|call| call.check(&result)),
        ("STATUS", &|call| call.run("STATUS")),
        ("GC of nothing", &|call| call.gc(&["c1", "c2"])),
        ("DEL of another", &|call| call.variable("CNI_IFNAME", "net9").del()),
    ];
    for (name, run) in reading {
        let (answer, requests, writing) = counted(&call, run)?;
        answer.done()?;
        ensure!(writing == 0, "{name} changes something");
        note(&format!("{name}: {requests} requests"));
    }
    let (answer, _, writing) = counted(&call, Call::add)?;
    ensure!(answer.result()? == result && writing == 0, "a repeated ADD changes something");
    let (answer, _, writing) = counted(&Call::new("c3", &device(0)), Call::add)?;
    answer.refused(100, "…belongs to interface 'net1' of container 'c1'…")?;
    ensure!(writing == 0, "a refused ADD changes something");

    let (answer, requests, writing) = counted(&call, Call::del)?;
    answer.done()?;
    ensure!(writing == 1, "DEL has {writing} transactions that change something");
    note(&format!("DEL: {requests} requests"));
    call.add()?.result()?;
    let (answer, _, writing) = counted(&call, |call| call.gc(&[]))?;
    answer.done()?;
    ensure!(writing == 1, "GC of two has {writing} transactions that change something");
    lab.untouched()
}
