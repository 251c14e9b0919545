//! The configuration's values.

use super::names::{Domain, ResourceName};
use node::socketdir::{Access, Label, Owner};
use vocabulary::{ComputePath, DeviceId, HostDir, SOCKET_FILE, SocketMode};

/// The device plugin's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Of the resources' names: `<domain>/<name>`.
    pub domain: Domain,
    /// Where sockets are, and whose.
    pub sockets: Sockets,
    /// The switches of this node.
    pub switches: Vec<Switch>,
    /// What pods may ask for.
    pub resources: Vec<Ports>,
    /// The name of the resource that mounts the whole socket root, for the switch's own pod.
    pub dataplane: Option<ResourceName>,
}

/// Where sockets are, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    /// The directory of all devices' directories on the host.
    pub host_root: HostDir,
    /// The same in containers, where each sees its own devices only.
    pub container_root: ComputePath,
    /// Owner and rights of a device's directory.
    pub access: Access,
    /// Its SELinux label.
    pub label: Option<Label>,
    /// What a pod may put into it.
    pub limits: Limits,
}

/// What a pod may put into one directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files, sockets and directories.
    pub files: u64,
}

/// One switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// What resources call it.
    pub name: String,
    /// The socket of its OVSDB server, on the host.
    pub ovsdb: HostDir,
    /// The bridge whose ports the resources are.
    pub bridge: String,
    /// Where it makes the sockets on which it listens, on the host.
    pub sockets: Option<HostDir>,
}

/// A resource whose devices are ports of a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// The name behind the domain.
    pub name: ResourceName,
    /// How many devices there are.
    pub count: u32,
    /// The workload's end of the socket.
    pub mode: SocketMode,
    /// The switch, by its place in [`Config::switches`].
    pub switch: usize,
}

impl Ports {
    /// Its devices: `<name>-0`, `<name>-1`… The same after each start.
    pub fn devices(&self) -> impl Iterator<Item = DeviceId> {
        (0..self.count).filter_map(|number| self.name.device(number))
    }

    /// Whether a device is one of them.
    pub fn has(&self, id: &DeviceId) -> bool {
        let number = id.as_str().strip_prefix(self.name.as_str()).and_then(|rest| rest.strip_prefix('-'));
        let number = number.and_then(|number| number.parse().ok()).filter(|number| *number < self.count);
        // As text, too: a number can be written in several ways.
        number.and_then(|number| self.name.device(number)).as_ref() == Some(id)
    }
}

impl Sockets {
    /// The socket of a device as its container knows it.
    pub fn in_container(&self, id: &DeviceId) -> ComputePath {
        self.container_root.join(id.as_str()).join(SOCKET_FILE)
    }

    /// The rights to a device's directory. The socket root is the tenants' by one directory each. Where the switch
    /// listens, a tenant has nothing to write there: its directory stays ours, and its group may pass.
    pub fn access_of(&self, mode: SocketMode) -> Access {
        match mode {
            SocketMode::Server => self.access,
            SocketMode::Client => {
                Access { owner: Owner { uid: 0, ..self.access.owner }, mode: 0o750, switch_user: None }
            }
        }
    }
}

impl Config {
    /// The full name of a resource.
    pub fn full_name(&self, name: &ResourceName) -> String {
        format!("{}/{}", self.domain.as_str(), name.as_str())
    }
}
