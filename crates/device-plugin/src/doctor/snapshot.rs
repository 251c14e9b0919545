//! A node as it was found. Plain values: what they mean is the checks' business.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::Value;

use super::scope;
use host_io::look::Attributes;
use ovs::OvsdbError;
use vocabulary::{HostDir, SocketMode};

/// All of it.
#[derive(Debug)]
pub struct Snapshot {
    /// What was looked at.
    pub scope: scope::Scope,
    /// By page size.
    pub hugepages: Vec<Hugepages>,
    /// The socket root.
    pub root: Root,
    /// In the order of the scope's.
    pub devices: Vec<Device>,
    /// Device-info files of our domain for no device.
    pub orphans: Vec<PathBuf>,
    /// By their OVSDB: several of the scope's may be bridges of one.
    pub switches: BTreeMap<HostDir, Switch>,
}

/// Pages of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hugepages {
    /// The size of one, in KiB.
    pub kib: u64,
    /// How many there are.
    pub total: u64,
    /// How many nobody has.
    pub free: u64,
}

/// The socket root.
#[derive(Debug)]
pub struct Root {
    /// What stands there; nothing if there is nothing.
    pub found: Option<Attributes>,
    /// The options of the mount that begins there.
    pub mount: Option<Vec<String>>,
}

/// A device's directory, files and listeners.
#[derive(Debug)]
pub struct Device {
    /// Which.
    pub scope: scope::Device,
    /// Its socket's path, with the links of the root's path followed.
    pub path: PathBuf,
    /// Its directory.
    pub directory: Option<Attributes>,
    /// Whether there is a socket in it.
    pub socket: bool,
    /// Whether somebody listens on it.
    pub listening: Listening,
    /// Whether a pod has the device; nothing if the kubelet does not tell.
    pub in_use: Option<bool>,
    /// The switch's own socket for it, in the switch's directory (client mode).
    pub switch_socket: Option<SwitchSocket>,
    /// Its device-info file.
    pub info: PathBuf,
    /// What the file says, or why it cannot be read; nothing if there is none.
    pub said: Option<Result<Value, String>>,
}

/// Whether somebody listens on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listening {
    /// Somebody.
    Yes,
    /// Nobody on this node.
    No,
    /// Nobody that can be seen from here, where not all processes can.
    Unseen,
}

/// A socket in the switch's own directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchSocket {
    /// Its path.
    pub path: PathBuf,
    /// Whether the switch listens on it.
    pub listening: Listening,
}

/// A switch's database and process.
#[derive(Debug)]
pub struct Switch {
    /// What OVSDB has.
    pub database: Result<Database, OvsdbError>,
    /// What ovs-vswitchd says.
    pub datapath: Datapath,
}

/// What OVSDB has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Whether DPDK runs.
    pub dpdk_initialized: bool,
    /// DPDK's version.
    pub dpdk_version: Option<String>,
    /// OVS's version.
    pub ovs_version: Option<String>,
    /// Name and datapath type.
    pub bridges: BTreeMap<String, String>,
    /// Every interface of a bridge.
    pub interfaces: Vec<Interface>,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its bridge.
    pub bridge: String,
    /// Its name.
    pub name: String,
    /// OVS's type.
    pub kind: String,
    /// `options:vhost-server-path`.
    pub path: Option<String>,
    /// The same with the links of its directory followed.
    pub leads_to: Option<PathBuf>,
    /// Why OVS could not make it.
    pub error: Option<String>,
    /// `status:status` of a vhost-user port.
    pub connected: bool,
    /// Whose it is, where the CNI plugin has made it: namespace and pod.
    pub pod: Option<(String, String)>,
}

impl Interface {
    /// The mode of the workload on a port of this type.
    pub fn mode(&self) -> Option<SocketMode> {
        SocketMode::of_port_type(&self.kind)
    }
}

/// What ovs-vswitchd says.
#[derive(Debug)]
pub enum Datapath {
    /// Its process id is not written down there.
    Unknown(PathBuf),
    /// It does not answer.
    Silent(OvsdbError),
    /// `dpif/show`.
    Shows(String),
}

impl Snapshot {
    /// The switch of a device.
    pub fn switch(&self, device: &scope::Device) -> Option<&Switch> {
        self.switches.get(&self.scope.switches.get(device.switch)?.ovsdb)
    }

    /// The port of a device, on whatever bridge of its switch.
    pub fn port(&self, device: &scope::Device) -> Option<&Interface> {
        let database = self.switch(device)?.database.as_ref().ok()?;
        let name = device.id.port_name();
        database.interfaces.iter().find(|interface| interface.name == name)
    }
}
