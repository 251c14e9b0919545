//! Series for the documentation's tables: what governs the gap of a migration, and how long a switch outage lasts.
//! They assert no more than the tests do, take long, and run only when they are named.

use anyhow::Result;

use super::migration::{print_table, series};
use super::outage::switch_goes_away;
use dataplane::boot::{Redefine, define, start};
use dataplane::domain::with_guest_announce_off;
use dataplane::node::{Stage, note};
use dataplane::pod::Pod;
use dataplane::switch::Switch;
use dataplane::vm::{Memory, Mode, Nic, Vm};
use dataplane::wait::seconds;

const EACH: usize = 10;

pub(crate) fn measure_migration_variants(stage: &mut Stage<'_>) -> Result<()> {
    let vm = || Vm::new(vec![Nic::new("blue")]);
    let one_core = || {
        let mut vm = vm();
        vm.cores = 1;
        vm
    };
    let on_hugepages = |mut vm: Vm| {
        vm.memory = Memory::Hugepages;
        vm
    };
    let nothing = |_: &Pod| Ok(());
    let short_downtime = |source: &Pod| {
        source.libvirt.virsh(seconds(60), &["migrate-setmaxdowntime", &source.vm.domain(), "30"]).map(drop)
    };
    let as_is = |xml: String| Ok(xml);

    measure(stage, "2 vCPUs, memfd", &vm(), as_is, nothing)?;
    measure(stage, "2 vCPUs, hugepages", &on_hugepages(vm()), as_is, nothing)?;
    measure(stage, "1 vCPU, memfd", &one_core(), as_is, nothing)?;
    measure(stage, "1 vCPU, hugepages", &on_hugepages(one_core()), as_is, nothing)?;
    measure(stage, "2 vCPUs, memfd, maximum downtime 30 ms", &vm(), as_is, short_downtime)?;
    measure(
        stage,
        "2 vCPUs, memfd, guest_announce=off",
        &vm(),
        |xml| with_guest_announce_off(&xml),
        nothing,
    )?;
    measure(stage, "2 vCPUs, memfd, 64 MiB dirtied without end", &vm().dirtying(64), as_is, nothing)
}

pub(crate) fn measure_switch_outages(stage: &mut Stage<'_>) -> Result<()> {
    note("server mode, restart");
    switch_goes_away(stage, Mode::Server, Switch::stop_vswitchd, EACH)?;
    note("server mode, kill -9");
    switch_goes_away(stage, Mode::Server, Switch::kill_vswitchd, EACH)?;
    note("client mode, restart");
    switch_goes_away(stage, Mode::Client, Switch::stop_vswitchd, EACH)?;
    note("client mode, kill -9");
    switch_goes_away(stage, Mode::Client, Switch::kill_vswitchd, EACH)
}

fn measure(
    stage: &Stage<'_>,
    title: &str,
    vm: &Vm,
    edit: impl Fn(String) -> Result<String>,
    before: impl Fn(&Pod) -> Result<()>,
) -> Result<()> {
    let source = stage.pod("a", vm)?;
    let answer = define(&source, Redefine::Reduced)?;
    source.libvirt.define(&edit(answer)?)?;
    start(&source)?;
    let rows = series(stage, source, EACH, before)?;
    note(title);
    print_table(&rows);
    Ok(())
}
