//! Live migration between two pods, with traffic flowing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use dataplane::boot::{Redefine, boot, define, start};
use dataplane::device::SOCKET;
use dataplane::domain::{pci_buses, socket_paths};
use dataplane::guest::shell;
use dataplane::node::{Stage, ms, note};
use dataplane::pod::Pod;
use dataplane::probe::assert_shorter;
use dataplane::vm::{Memory, Nic, Vm};
use dataplane::wait::seconds;

const MIGRATIONS: usize = 10;

/// Of a VM without hugepages, to compare.
const MIGRATIONS_ON_MEMFD: usize = 4;

/// What noise allows; the documentation's table says what to expect.
const LONGEST_GAP: Duration = seconds(10);

/// On hugepages, as VMs on a userspace dataplane are.
pub(crate) fn ten_migrations_under_traffic(stage: &mut Stage<'_>) -> Result<()> {
    let mut vm = Vm::new(vec![Nic::new("blue")]);
    vm.memory = Memory::Hugepages;
    back_and_forth(stage, &vm, MIGRATIONS)
}

pub(crate) fn migrations_without_hugepages(stage: &mut Stage<'_>) -> Result<()> {
    back_and_forth(stage, &Vm::new(vec![Nic::new("blue")]), MIGRATIONS_ON_MEMFD)
}

fn back_and_forth(stage: &Stage<'_>, vm: &Vm, count: usize) -> Result<()> {
    let source = stage.pod("a", vm)?;
    boot(&source)?;
    let rows = series(stage, source, count, |_| Ok(()))?;
    print_table(&rows);
    Ok(())
}

/// Migrates a running VM again and again, each time into a pod of its own, as KubeVirt makes them. `before` is done at
/// the source before each.
pub(crate) fn series(
    stage: &Stage<'_>,
    mut source: Pod,
    count: usize,
    before: impl Fn(&Pod) -> Result<()>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for number in 1..=count {
        let name = if number % 2 == 1 { "b" } else { "a" };
        let target = stage.pod(name, &source.vm)?;
        before(&source)?;
        rows.push(
            migrate(stage, &mut source, &target).with_context(|| format!("migration {number} to {name}"))?,
        );
        source = target;
    }
    Ok(rows)
}

/// One line of the table.
pub(crate) struct Row {
    took: Duration,
    gap: Duration,
    downtime: Duration,
    lost: usize,
}

/// Migrates as KubeVirt does: the target's hook is called, the source's libvirt moves the guest, and when its QEMU has
/// exited the source's sidecar is told so.
pub(crate) fn migrate(stage: &Stage<'_>, source: &mut Pod, target: &Pod) -> Result<Row> {
    let domain = source.vm.domain();
    target.prepare_target()?;
    let probe = stage.probe(&source.vm)?;
    let started = Instant::now();
    source.libvirt.migrate(&domain, &target.libvirt)?;
    let took = started.elapsed();
    let silence = probe.finish(seconds(60))?;
    let downtime = Duration::from_millis(target.libvirt.downtime_ms(&domain)?);
    ensure!(target.libvirt.state(&domain).starts_with("running"), "the guest does not run at the target");
    source.shutdown_sidecar()?;
    assert_shorter(&silence, LONGEST_GAP)?;
    Ok(Row { took, gap: silence.gap, downtime, lost: silence.lost })
}

pub(crate) fn print_table(rows: &[Row]) {
    note("  # | migration | longest gap | QEMU downtime | difference | lost of 100/s");
    for (index, row) in rows.iter().enumerate() {
        note(&format!(
            "{:3} | {:6} ms | {:8} ms | {:10} ms | {:7} ms | {:3}",
            index + 1,
            ms(row.took),
            ms(row.gap),
            ms(row.downtime),
            ms(row.gap.saturating_sub(row.downtime)),
            row.lost
        ));
    }
    let median = |value: fn(&Row) -> Duration| {
        let mut values: Vec<_> = rows.iter().map(value).collect();
        values.sort();
        ms(values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2
    };
    let (gap, downtime) = (median(|row| row.gap), median(|row| row.downtime));
    let rest = median(|row| row.gap.saturating_sub(row.downtime));
    note(&format!("median: gap {gap} ms, QEMU downtime {downtime} ms, difference {rest} ms"));
}

/// The reason for the link, from both sides: a target whose hook was not called has none, and a domain that names the
/// real directory names one that exists only at the source.
pub(crate) fn without_the_link_migration_fails(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let source = stage.pod("a", &vm)?;
    let target = stage.pod("b", &vm)?;
    let answer = boot(&source)?;
    migration_is_refused(stage, &source, &target)?;
    source.libvirt.destroy(&vm.domain())?;

    target.prepare_target()?;
    let stable = socket_paths(&answer)?.pop().context("the answer has a vhost-user NIC")?;
    let real = source.devices[0].pod_dir()?.join(SOCKET);
    source.libvirt.define(&answer.replace(&stable, &real.display().to_string()))?;
    start(&source)?;
    migration_is_refused(stage, &source, &target)
}

fn migration_is_refused(stage: &Stage<'_>, source: &Pod, target: &Pod) -> Result<()> {
    let domain = source.vm.domain();
    let refused =
        source.libvirt.migrate(&domain, &target.libvirt).err().context("the migration succeeded")?;
    let message = format!("{refused:#}");
    let path = socket_paths(&source.libvirt.live_xml(&domain)?)?.pop().unwrap_or_default();
    let expected = format!("Failed to bind socket to {path}: No such file or directory");
    ensure!(message.contains(&expected), "another error than expected: {message}");
    note(&expected);
    ensure!(source.libvirt.state(&domain).starts_with("running"), "the guest does not live on at the source");
    stage.await_ping(&source.vm)
}

pub(crate) fn a_jumbo_vm_migrates(stage: &mut Stage<'_>) -> Result<()> {
    let mut nic = Nic::new("blue");
    nic.mtu = Some(9000);
    let vm = Vm::new(vec![nic]);
    let mut source = stage.pod("a", &vm)?;
    boot(&source)?;
    there_and_back(stage, &vm, &mut source, |stage| {
        let guest = vm.nics[0].address;
        stage.node.peer1.await_ping(guest, 8972)?;
        let mtu = shell(&stage.node.peer1, guest, "cat /sys/class/net/eth0/mtu")?;
        ensure!(mtu.trim() == "9000", "the guest's MTU is {mtu}");
        Ok(())
    })
}

pub(crate) fn a_vm_with_an_assigned_pci_address_migrates(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let mut source = stage.pod("a", &vm)?;
    let answer = define(&source, Redefine::WithAddresses)?;
    let asked = pci_buses(&answer)?;
    ensure!(asked.len() == 1, "the third answer has lost the NIC's PCI address: {asked:?}");
    start(&source)?;
    let address = format!("0000:{}:00.0", asked[0].trim_start_matches("0x"));
    there_and_back(stage, &vm, &mut source, |stage| {
        let link = shell(&stage.node.peer1, vm.nics[0].address, "readlink -f /sys/class/net/eth0/device")?;
        ensure!(link.contains(&address), "the NIC is not at {address} but at {link}");
        Ok(())
    })?;
    note(&format!("address kept: {address}"));
    Ok(())
}

/// To another pod and to a third one, checked before, between and after.
fn there_and_back(
    stage: &Stage<'_>,
    vm: &Vm,
    source: &mut Pod,
    check: impl Fn(&Stage<'_>) -> Result<()>,
) -> Result<()> {
    check(stage)?;
    let mut target = stage.pod("b", vm)?;
    let first = migrate(stage, source, &target)?;
    check(stage)?;
    let last = stage.pod("c", vm)?;
    let second = migrate(stage, &mut target, &last)?;
    check(stage)?;
    print_table(&[first, second]);
    Ok(())
}
