//! What a NIC of a pod is attached to: a directory, a switch port, and what network-info says of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use crate::pod::{QEMU, make_dir};
use crate::switch::{LISTENING_SOCKETS, Port};
use crate::vm::{Mode, Nic};

/// The socket's file name in every device directory.
pub(crate) const SOCKET: &str = "vhost.sock";

/// What the device plugin and the CNI plugin have made for one NIC of one pod.
pub(crate) struct Device {
    nic: Nic,
    /// Random, so no two pods have the same.
    id: String,
    pub(crate) port: Option<Port>,
}

impl Device {
    pub(crate) fn new(nic: &Nic) -> Result<Self> {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let device = Self { nic: nic.clone(), id: uuid[..8].to_owned(), port: None };
        if nic.mode == Mode::Server {
            make_dir(&device.node_dir(), QEMU, 0o750)?;
        }
        Ok(device)
    }

    /// The directory on the node; the pod sees a server-mode one under the same path.
    pub(crate) fn node_dir(&self) -> PathBuf {
        match self.nic.mode {
            Mode::Server => self.pod_dir(),
            Mode::Client => LISTENING_SOCKETS.into(),
        }
    }

    /// What device-info names.
    pub(crate) fn pod_dir(&self) -> PathBuf {
        Path::new("/var/run/vhostuser").join(&self.id)
    }

    pub(crate) fn mode(&self) -> Mode {
        self.nic.mode
    }

    /// For `compute.sh`.
    pub(crate) fn mount(&self) -> String {
        format!("{}={}", self.node_dir().display(), self.id)
    }

    /// The switch's end, as the CNI plugin makes it.
    pub(crate) fn plug(&mut self) -> Result<()> {
        let bridge = self.nic.bridge;
        self.port = Some(match self.nic.mode {
            Mode::Server => Port::connecting(
                bridge,
                &format!("vhu{}", self.id),
                &self.node_dir().join(SOCKET),
                self.nic.mtu,
            )?,
            Mode::Client => Port::listening(bridge, SOCKET)?,
        });
        Ok(())
    }

    /// The entry in the downward API file.
    pub(crate) fn network_info(&self) -> serde_json::Value {
        let mode = if self.nic.mode == Mode::Server { "server" } else { "client" };
        let path = self.pod_dir().join(SOCKET);
        let device =
            json!({"type": "vhost-user", "version": "1.1.0", "vhost-user": {"mode": mode, "path": path}});
        let mut entry = json!({"network": self.nic.name, "deviceInfo": device, "mac": self.nic.mac});
        if let Some(mtu) = self.nic.mtu {
            entry["mtu"] = mtu.into();
        }
        entry
    }
}
