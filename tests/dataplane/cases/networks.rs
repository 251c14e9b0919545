//! Several NICs, several queues, large frames.

use anyhow::{Result, ensure};

use dataplane::boot::boot;
use dataplane::guest::{await_reach, can_reach, shell};
use dataplane::node::{Stage, note};
use dataplane::switch::learned;
use dataplane::vm::{Nic, Vm};

pub(crate) fn two_nics_reach_their_own_networks_only(stage: &mut Stage<'_>) -> Result<()> {
    // The VMI's order is not that of the names: network-info is sorted by name and would give the other one.
    let vm = Vm::new(vec![Nic::new("zulu"), Nic::second("alpha")]);
    let pod = stage.pod("a", &vm)?;
    boot(&pod)?;

    let (peer1, peer2) = (&stage.node.peer1, &stage.node.peer2);
    let (zulu, alpha) = (&vm.nics[0], &vm.nics[1]);
    peer1.await_ping(zulu.address, 56)?;
    peer2.await_ping(alpha.address, 56)?;
    for (nic, peer, reached) in
        [("eth0", peer1, true), ("eth0", peer2, false), ("eth1", peer1, false), ("eth1", peer2, true)]
    {
        if reached {
            await_reach(peer1, zulu.address, nic, peer.address)?;
            continue;
        }
        let got = can_reach(peer1, zulu.address, nic, peer.address)?;
        ensure!(!got, "{nic} reaches {}", peer.address);
    }
    for (nic, device) in [(zulu, "eth0"), (alpha, "eth1")] {
        let mac = shell(peer1, zulu.address, &format!("cat /sys/class/net/{device}/address"))?;
        ensure!(mac.trim() == nic.mac, "{device} has {mac}, {} asked for {}", nic.name, nic.mac);
    }
    let (on1, on2) = (learned("br1")?, learned("br2")?);
    ensure!(on1.contains(&zulu.mac) && !on1.contains(&alpha.mac), "br1 has learned {on1}");
    ensure!(on2.contains(&alpha.mac) && !on2.contains(&zulu.mac), "br2 has learned {on2}");
    Ok(())
}

pub(crate) fn queue_pairs_agree_and_jumbo_frames_pass(stage: &mut Stage<'_>) -> Result<()> {
    let mut nic = Nic::new("blue");
    nic.mtu = Some(9000);
    let mut vm = Vm::new(vec![nic]);
    // An odd number, so that nobody's default can be mistaken for it.
    (vm.cores, vm.multiqueue) = (3, true);
    let pod = stage.pod("a", &vm)?;
    let answer = boot(&pod)?;

    let qemu = pod.libvirt.qemu_log(&vm.domain());
    ensure!(qemu.contains("\"queues\":3") || qemu.contains("queues=3"), "QEMU's netdev has not 3 queues");
    let polled = pod.devices[0].port().enabled_queues()?;
    ensure!(polled == 3, "OVS polls {polled} queues");
    let (peer, guest) = (&stage.node.peer1, vm.nics[0].address);
    let channels = shell(peer, guest, "ethtool -l eth0")?;
    let combined = channels.lines().filter(|line| line.split_whitespace().eq(["Combined:", "3"])).count();
    ensure!(combined == 2, "the guest's maximum and current number of queue pairs is not 3: {channels}");
    note("3 vCPUs: 3 queue pairs in QEMU, OVS and the guest");

    ensure!(!answer.contains("<mtu"), "an unprivileged libvirt cannot start a vhost-user NIC with <mtu>");
    let mtu = shell(peer, guest, "cat /sys/class/net/eth0/mtu")?;
    ensure!(mtu.trim() == "9000", "the guest's MTU is {mtu}");
    peer.await_ping(guest, 8972)?;
    let back =
        shell(peer, guest, &format!("ping -c 3 -W 2 -s 8972 {} >/dev/null && echo reached", peer.address))?;
    ensure!(back.contains("reached"), "no jumbo frame from the guest");
    note("MTU 9000 in the guest, 8972 bytes of payload pass both ways unfragmented");
    Ok(())
}
