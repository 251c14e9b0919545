//! The switch can use the guest's memory only if it is shared.

use std::fs;

use anyhow::{Context, Result, ensure};

use dataplane::bare_qemu::{self, Ram};
use dataplane::boot::boot;
use dataplane::domain::without_shared_memory;
use dataplane::guest::shell;
use dataplane::node::{Stage, note};
use dataplane::pod::Pod;
use dataplane::vm::{Memory, Nic, Vm};

fn vm(memory: Memory) -> Vm {
    let mut vm = Vm::new(vec![Nic::new("blue")]);
    vm.memory = memory;
    vm
}

fn packets_pass(stage: &Stage<'_>, memory: Memory) -> Result<String> {
    let vm = vm(memory);
    let pod = stage.pod("a", &vm)?;
    let answer = boot(&pod)?;
    stage.await_ping(&vm)?;
    // The guest's own view: two nodes where there are two cells.
    let nodes = shell(&stage.node.peer1, vm.nics[0].address, "ls -d /sys/devices/system/node/node* | wc -l")?;
    let expected = if memory == Memory::Cells { "2" } else { "1" };
    ensure!(nodes.trim() == expected, "the guest has {nodes} NUMA nodes");
    Ok(answer)
}

pub(crate) fn packets_pass_with_memfd(stage: &mut Stage<'_>) -> Result<()> {
    let answer = packets_pass(stage, Memory::Plain)?;
    ensure!(answer.contains("memfd"), "memory is not a memfd");
    Ok(())
}

pub(crate) fn packets_pass_with_hugepages(stage: &mut Stage<'_>) -> Result<()> {
    let answer = packets_pass(stage, Memory::Hugepages)?;
    ensure!(answer.contains("<hugepages"), "the hugepages are gone");
    Ok(())
}

pub(crate) fn packets_pass_with_numa_cells(stage: &mut Stage<'_>) -> Result<()> {
    let answer = packets_pass(stage, Memory::Cells)?;
    ensure!(answer.matches("memAccess").count() == 2, "not every cell is shared");
    Ok(())
}

/// Two facts. A libvirt that knows better refuses such a domain; and it is right, for with the same QEMU arguments but
/// for the memory no packet passes.
pub(crate) fn without_the_memory_edit_no_packet_passes(stage: &mut Stage<'_>) -> Result<()> {
    let vm = vm(Memory::Plain);
    let pod = stage.pod("a", &vm)?;
    let answer = boot(&pod)?;
    pod.libvirt.destroy(&vm.domain())?;
    if pod.libvirt.major_version()? >= 11 {
        libvirt_refuses(&pod, &answer)?;
    }

    // That it works like this as long as memory is shared shows that the memory is what the next one lacks.
    let shared = bare_qemu::start(&pod, Ram::Shared)?;
    stage.await_ping(&vm).context("shared memory")?;
    drop(shared);
    let plain = bare_qemu::start(&pod, Ram::Plain)?;
    ensure!(stage.ping(&vm).is_err(), "packets pass without shared memory");
    drop(plain);
    let log = fs::read_to_string(pod.log("bare-qemu.log"))?;
    let said = log.lines().filter(|line| line.contains("vhost") && !line.contains("waiting for connection"));
    said.for_each(|line| note(&format!("QEMU: {line}")));
    Ok(())
}

fn libvirt_refuses(pod: &Pod, answer: &str) -> Result<()> {
    let refused = pod.libvirt.define(&without_shared_memory(answer)?).err().context("libvirt accepts it")?;
    let message = format!("{refused:#}");
    let expected = "'interface' requires shared memory";
    ensure!(message.contains(expected), "another error than expected: {message}");
    note(&format!("libvirt: {expected}"));
    Ok(())
}
