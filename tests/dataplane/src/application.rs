//! A pod that is no VM: a DPDK application with a vhost-user NIC.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, Result};
use rustix::process::Pid;

use crate::agent::{Agent, Grants};
use crate::device::Device;
use crate::multus;
use crate::process::Process;
use crate::sandbox::Sandbox;
use crate::vm::Nic;

/// Dropping it ends it.
pub struct Application {
    // In the order in which they go.
    process: Process,
    pub device: Device,
    _sandbox: Sandbox,
    _grants: Grants,
}

impl Application {
    pub fn start(name: &str, nic: &Nic, agent: &Rc<Agent>, logs: &Path) -> Result<Self> {
        let nics = [nic.clone()];
        let grants = Grants::admit(agent, name, &multus::resources(&nics))?;
        let ids = multus::device_ids(&nics, &grants)?;
        let sandbox = Sandbox::new(name)?;
        let mut device = Device::new(nic, ids.first().context("one device")?, &grants)?;
        device.plug(&sandbox)?;
        let mut arguments = grants.variables();
        arguments.extend(grants.mounts());
        let log = logs.join(format!("{name}-application.log"));
        let process = Process::container("/opt/application.sh", &arguments, &sandbox.network(), &log)?;
        Ok(Self { process, device, _sandbox: sandbox, _grants: grants })
    }

    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }
}
