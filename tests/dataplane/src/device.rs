//! What a NIC of a pod is attached to: a device that the kubelet gave to the pod, and the switch port that the CNI plugin
//! makes of it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vocabulary::DeviceId;

use crate::agent::Grants;
use crate::multus::{Attachment, device_info};
use crate::pod::QEMU;
use crate::sandbox::Sandbox;
use crate::switch::{LISTENING_SOCKETS, Port};
use crate::vm::{Mode, Nic};

/// The socket's file name in every device directory.
pub const SOCKET: &str = "vhost.sock";

pub struct Device {
    nic: Nic,
    pub id: DeviceId,
    /// As the device plugin has written it down.
    info: Value,
    /// The directory on the node.
    dir: PathBuf,
    pub attachment: Option<Attachment>,
}

impl Device {
    pub fn new(nic: &Nic, id: &str, grants: &Grants) -> Result<Self> {
        let info = device_info(nic.resource(), id)?;
        let mode = if nic.mode == Mode::Server { "server" } else { "client" };
        ensure!(info["vhost-user"]["mode"] == mode, "device-info of {id} says {info}");
        let mut device =
            Self { nic: nic.clone(), id: id.parse()?, info, dir: PathBuf::new(), attachment: None };
        device.dir = grants.host_dir(&device.pod_dir()?)?;
        Ok(device)
    }

    /// The directory on the node.
    pub fn node_dir(&self) -> &Path {
        &self.dir
    }

    /// The directory in the pod.
    pub fn pod_dir(&self) -> Result<PathBuf> {
        let path = self.info["vhost-user"]["path"].as_str().context("device-info has a path")?;
        let dir = Path::new(path).parent().context("the path of a file")?;
        ensure!(Path::new(path).ends_with(SOCKET), "{path} is no {SOCKET}");
        Ok(dir.to_owned())
    }

    /// The socket as the node and its switch know it.
    pub fn node_socket(&self) -> PathBuf {
        self.dir.join(SOCKET)
    }

    /// The switch's end: ADD. What it promises must be there when it returns.
    pub fn plug(&mut self, sandbox: &Sandbox) -> Result<()> {
        match &self.attachment {
            Some(attachment) => attachment.repeat()?,
            None => self.attachment = Some(Attachment::add(sandbox, &self.nic, self.id.as_str())?),
        }
        // The database's own status says "connected" also of a port that never made it into the datapath.
        ensure!(self.port().in_datapath()?, "the datapath has no port for {}", self.id);
        if self.nic.mode == Mode::Client { self.check_switch_socket() } else { Ok(()) }
    }

    /// CHECK, with what ADD has answered.
    pub fn check(&self) -> Result<()> {
        self.attachment.as_ref().context("the NIC is attached")?.check()
    }

    /// DEL.
    pub fn unplug(&mut self) -> Result<()> {
        let Some(attachment) = self.attachment.take() else { return Ok(()) };
        attachment.del()?;
        ensure!(!self.port().in_datapath()?, "DEL has left the port of {} in the datapath", self.id);
        Ok(())
    }

    /// The device plugin does not plug the port again, whoever takes it away.
    pub fn forget_port(&self) -> Result<()> {
        fs::remove_file(self.dir.with_file_name("port.json")).context("ADD's record")
    }

    pub fn port(&self) -> Port {
        Port::new(&self.id.port_name())
    }

    /// Where the switch listens, the device plugin moves its socket to the pod: nothing of it stays where a switch
    /// that is started again would stumble over it, and QEMU can connect although the switch is root's.
    pub fn check_switch_socket(&self) -> Result<()> {
        let (made, placed) = (Path::new(LISTENING_SOCKETS).join(self.id.port_name()), self.node_socket());
        ensure!(fs::symlink_metadata(&made).is_err(), "{} has not been moved", made.display());
        let found = fs::symlink_metadata(&placed).with_context(|| placed.display().to_string())?;
        ensure!(found.file_type().is_socket(), "{} is no socket", placed.display());
        let rights = (found.uid(), found.gid(), found.mode() & 0o7777);
        ensure!(rights == (QEMU, QEMU, 0o660), "{}: owner and mode are {rights:?}", placed.display());
        Ok(())
    }
}
