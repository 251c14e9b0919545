//! The device plugin while VMs run: killed, asked for two devices at once, and with a switch that is away.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use dataplane::agent::{Agent, CLIENT1, Grants, PORTS, SERVER1, SERVER2, names};
use dataplane::boot::boot;
use dataplane::guest::await_reach;
use dataplane::node::{Stage, ms, note};
use dataplane::probe::assert_shorter;
use dataplane::switch::Uplink;
use dataplane::vm::{Mode, Nic, Vm};
use dataplane::wait::{seconds, until};

/// Two devices of one `Allocate`: nothing but the order of the attachments says which is whose.
pub(crate) fn two_nics_of_one_resource_are_not_swapped(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("zulu"), Nic::beside("alpha")]);
    let pod = stage.pod("a", &vm)?;
    ensure!(pod.grants.allocations.len() == 1, "the pod needed more than one Allocate");
    boot(&pod)?;
    for (nic, device, name) in
        [(&vm.nics[0], &pod.devices[0], "eth0"), (&vm.nics[1], &pod.devices[1], "eth1")]
    {
        let peer = &stage.node.peer1;
        await_reach(peer, vm.nics[0].address, name, peer.address)?;
        let learned = device.port().learned("br1")?;
        ensure!(
            learned == [nic.mac.clone()],
            "behind {}'s port, of {}, are {learned:?}",
            nic.name,
            device.id
        );
        note(&format!("{}: {} on {}", nic.name, nic.mac, device.id));
    }
    Ok(())
}

pub(crate) fn a_killed_plugin_disturbs_no_vm(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let pod = stage.pod("a", &vm)?;
    boot(&pod)?;
    let probe = stage.probe(&vm)?;
    let agent = &stage.node.agent;
    agent.kill_plugin()?;
    probe.more_answers(100, seconds(60))?;
    let refused = stage.pod("b", &Vm::beside()).err().context("a pod starts without a device plugin")?;
    note(&format!("meanwhile {refused:#}"));
    let started = Instant::now();
    agent.start_plugin()?;
    note(&format!("registered again {} ms after its start", ms(started.elapsed())));

    let second = Vm::beside();
    let second_pod = stage.pod("b", &second)?;
    ensure!(pod.devices[0].id != second_pod.devices[0].id, "both pods have {}", pod.devices[0].id);
    boot(&second_pod)?;
    stage.await_ping(&second)?;
    let silence = probe.finish(seconds(60))?;
    note(&format!("longest gap of the first VM {} ms, lost {}", ms(silence.gap), silence.lost));
    assert_shorter(&silence, seconds(10))
}

/// Where the switch listens, only the plugin's daemon can bring its new socket to the pod; late is not too late.
pub(crate) fn a_client_mode_guest_outlasts_plugin_and_switch(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic { mode: Mode::Client, ..Nic::new("blue") }]);
    let pod = stage.pod("a", &vm)?;
    boot(&pod)?;
    stage.node.agent.kill_plugin()?;
    stage.await_ping(&vm).context("without the plugin")?;
    stage.node.switch.stop_vswitchd()?;
    stage.node.switch.start_vswitchd()?;
    ensure!(
        stage.ping(&vm).is_err(),
        "the guest has found the switch's new socket, which nobody has brought it"
    );
    stage.node.agent.start_plugin()?;
    stage.probe(&vm)?.finish(seconds(30))?;
    pod.devices[0].check_switch_socket()
}

/// The next pod with the device gets a directory of its own.
pub(crate) fn the_next_pod_finds_nothing(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let pod = stage.pod("a", &vm)?;
    boot(&pod)?;
    let dir = pod.devices[0].node_dir().to_owned();
    fs::write(dir.join("file"), "left")?;
    fs::create_dir_all(dir.join("deep/er"))?;
    symlink("/etc/passwd", dir.join("link"))?;
    let passwd = fs::read("/etc/passwd")?;
    let kept_open = fs::File::open(&dir)?;
    drop(pod);

    // Every device, so also this one.
    let next = Grants::admit(&stage.node.agent, "b", &[(SERVER1.to_owned(), PORTS[0].1)])?;
    let given = next.allocations.iter().flat_map(|given| &given.mounts);
    let given: Vec<_> = given.map(|mount| Path::new(&mount.host)).collect();
    ensure!(given.contains(&dir.as_path()), "{} is not among {given:?}", dir.display());
    for dir in &given {
        let entries = names(dir)?;
        ensure!(entries.is_empty(), "{} has {entries:?}", dir.display());
    }
    let (old, new) = (kept_open.metadata()?, fs::metadata(&dir)?);
    ensure!((old.dev(), old.ino()) != (new.dev(), new.ino()), "who has the old directory has the new one");
    ensure!(fs::read("/etc/passwd")? == passwd, "the link was followed");
    Ok(())
}

pub(crate) fn devices_follow_the_health_of_their_switch(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let pod = stage.pod("a", &vm)?;
    boot(&pod)?;
    let in_use = [pod.devices[0].id.to_string()];
    let all = |agent: &Agent| PORTS.iter().all(|(name, ports)| agent.healthy(name).len() == *ports);
    let node = &mut stage.node;

    node.switch.stop_vswitchd()?;
    node.switch.start_vswitchd()?;
    ensure!(all(&node.agent), "a restart of the switch makes devices unhealthy");

    let stopped = Instant::now();
    node.switch.stop()?;
    let agent = &node.agent;
    let only_in_use = || agent.healthy(SERVER1).iter().eq(&in_use);
    until("free devices to be unhealthy", seconds(30), only_in_use)?;
    let after = stopped.elapsed();
    ensure!(after >= Duration::from_secs(9), "unhealthy after {} ms already", ms(after));
    let others = || agent.healthy(SERVER2).is_empty() && agent.healthy(CLIENT1).is_empty();
    until("the devices of the other resources to be unhealthy", seconds(60), others)?;
    let refused = stage.pod("b", &Vm::beside()).err().context("a pod starts on a node without its switch")?;
    note(&format!("free devices unhealthy after {} ms; {refused:#}", ms(after)));

    let started = Instant::now();
    stage.node.switch.start_again()?;
    until("all devices to be healthy", seconds(60), || all(&stage.node.agent))?;
    note(&format!("healthy {} ms after the switch's start", ms(started.elapsed())));
    stage.probe(&vm)?.finish(seconds(30)).map(drop)
}

pub(crate) fn an_uplinks_numa_node_is_the_devices_hint(stage: &mut Stage<'_>) -> Result<()> {
    let agent = &stage.node.agent;
    let hints = |resource| {
        let devices = agent.devices(resource);
        let mut hints: Vec<_> = devices.into_iter().map(|device| device.numa_nodes).collect();
        hints.dedup();
        hints
    };
    ensure!(hints(SERVER1) == [[0_i64; 0]], "without an uplink the hints are {:?}", hints(SERVER1));
    let uplink = Uplink::new("br1")?;
    let node = uplink.numa_node()?;
    until("the devices to have the uplink's NUMA node", seconds(60), || hints(SERVER1) == [[node]])?;
    ensure!(hints(CLIENT1) == [[node]], "of the same bridge: {:?}", hints(CLIENT1));
    ensure!(hints(SERVER2) == [[0_i64; 0]], "of the other bridge: {:?}", hints(SERVER2));
    note(&format!("NUMA node {node}"));
    drop(uplink);
    until("the hint to go with the uplink", seconds(60), || hints(SERVER1) == [[0_i64; 0]])
}
