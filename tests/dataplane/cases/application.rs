//! The same devices and ports, for a pod that is no VM.

use std::fs;

use anyhow::{Result, ensure};

use dataplane::application::Application;
use dataplane::node::Stage;
use dataplane::vm::{Mode, Nic};
use dataplane::wait::{seconds, until};

pub(crate) fn a_dpdk_pod_answers_as_server(stage: &mut Stage<'_>) -> Result<()> {
    a_dpdk_pod_answers(stage, Mode::Server)
}

pub(crate) fn a_dpdk_pod_answers_as_client(stage: &mut Stage<'_>) -> Result<()> {
    a_dpdk_pod_answers(stage, Mode::Client)
}

fn a_dpdk_pod_answers(stage: &mut Stage<'_>, mode: Mode) -> Result<()> {
    let nic = Nic { mode, application_file: true, ..Nic::new("dpdk") };
    let mut pod = Application::start("dpdk", &nic, &stage.node.agent, &stage.logs)?;
    let answers = |stage: &Stage<'_>| stage.node.peer1.ping(nic.address, 56).is_ok();
    until("the application to answer", seconds(30), || !pod.is_running() || answers(stage))?;
    ensure!(pod.is_running(), "the application has ended");
    for expected in ["Uid:\t107\t107\t107\t107", "CapBnd:\t0000000000000000"] {
        let status = fs::read_to_string(format!("/proc/{}/status", pod.pid().as_raw_nonzero()))?;
        ensure!(status.contains(expected), "the application has not {expected:?}:\n{status}");
    }
    let learned = pod.device.port().learned("br1")?;
    ensure!(learned == [nic.mac.clone()], "behind the application's port are {learned:?}");
    pod.device.check()?;
    Ok(())
}
