//! The whole chain: kubelet and device plugin, Multus and CNI plugin, KubeVirt and sidecar, libvirt and QEMU, packets,
//! and back again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::migration::{migrate, print_table};
use dataplane::agent::names;
use dataplane::boot::boot;
use dataplane::guest::await_reach;
use dataplane::multus::CNI_DEVICE_INFO;
use dataplane::node::{Stage, note};
use dataplane::pod::Pod;
use dataplane::switch::Switch;
use dataplane::vm::{Memory, Mode, Nic, Vm};
use dataplane::wait::{seconds, until};

/// A NIC of either mode, each pod with devices and ports of its own, and nothing of a pod that is gone.
pub(crate) fn both_pods_of_a_migration_leave_nothing(stage: &mut Stage<'_>) -> Result<()> {
    let before = Traces::now(&stage.node.switch)?;
    let listening = Nic { mode: Mode::Client, ..Nic::beside("alpha") };
    let mut vm = Vm::new(vec![Nic::new("zulu"), listening]);
    vm.memory = Memory::Hugepages;
    let mut source = stage.pod("a", &vm)?;
    boot(&source)?;
    both_nics_work(stage, &source).context("at the source")?;

    let mut target = stage.pod("b", &vm)?;
    let row = migrate(stage, &mut source, &target)?;
    print_table(&[row]);
    both_nics_work(stage, &target).context("at the target")?;

    let of_both = Traces::now(&stage.node.switch)?;
    let dirs = [directories(&source), directories(&target)].concat();
    source.tear_down().context("the source")?;
    both_nics_work(stage, &target).context("without the source")?;
    let of_target = Traces::now(&stage.node.switch)?;
    let gone = of_both.ports.difference(&of_target.ports).count();
    ensure!(gone == 2, "the source's end has taken {gone} ports away, not its own 2: {of_target:?}");

    target.libvirt.destroy(&vm.domain())?;
    target.shutdown_sidecar()?;
    target.tear_down().context("the target")?;
    let after = Traces::now(&stage.node.switch)?;
    ensure!(after == before, "before: {before:?}\nafter: {after:?}");
    let is_empty = |dir: &PathBuf| fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    until("all directories to be empty", seconds(90), || dirs.iter().all(is_empty))?;
    note(&format!("as before: {} ports, {} mounts", after.ports.len(), after.mounts.len()));
    Ok(())
}

fn both_nics_work(stage: &Stage<'_>, pod: &Pod) -> Result<()> {
    let (peer, guest) = (&stage.node.peer1, pod.vm.nics[0].address);
    // While the second one comes up, the switch arranges its queues anew, and the first one may lose packets.
    stage.probe(&pod.vm)?.finish(seconds(60))?;
    for (device, nic, name) in
        [(&pod.devices[0], &pod.vm.nics[0], "eth0"), (&pod.devices[1], &pod.vm.nics[1], "eth1")]
    {
        device.check().with_context(|| format!("CHECK of {}", nic.name))?;
        await_reach(peer, guest, name, peer.address)?;
        let learned = device.port().learned("br1")?;
        ensure!(learned == [nic.mac.clone()], "behind {}'s port are {learned:?}", nic.name);
    }
    Ok(())
}

fn directories(pod: &Pod) -> Vec<PathBuf> {
    pod.devices.iter().map(|device| device.node_dir().to_owned()).collect()
}

/// What pods have on a node.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    ports: BTreeSet<String>,
    device_info: BTreeSet<String>,
    mounts: BTreeSet<String>,
}

impl Traces {
    fn now(switch: &Switch) -> Result<Self> {
        // Multus makes the directory with the first file.
        let device_info = names(Path::new(CNI_DEVICE_INFO)).unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mounts")?.lines().map(str::to_owned).collect();
        Ok(Self { ports: switch.ports()?.into_iter().collect(), device_info, mounts })
    }
}
