//! A node as it was found. Plain values: what they mean is the checks' business.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::Value;

use super::scope::{ConfiguredDevice, Scope};
use crate::switch::database::{Database, InterfaceRow};
use host_io::look::Attributes;
use ovs::OvsdbError;
use vocabulary::HostDir;
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) scope: Scope,
    pub(super) hugepages: Vec<Hugepages>,
    pub(super) root: Root,
    /// In the order of the scope's.
    pub(super) devices: Vec<InspectedDevice>,
    /// Device-info files of our domain for no device.
    pub(super) orphans: Vec<PathBuf>,
    /// By their OVSDB: several of the scope's may be bridges of one.
    pub(super) switches: BTreeMap<HostDir, InspectedSwitch>,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hugepages {
    /// The size of one, in KiB.
    pub(super) kib: u64,
    /// How many there are.
    pub(super) total: u64,
    /// How many nobody has.
    pub(super) free: u64,
}
#[derive(Debug)]
pub(super) struct Root {
    /// What stands there; nothing if there is nothing.
    pub(super) found: Option<Attributes>,
    /// The options of the mount that begins there.
    pub(super) mount: Option<Vec<String>>,
}

/// A device's directory, files and listeners.
#[derive(Debug)]
pub(super) struct InspectedDevice {
    pub(super) scope: ConfiguredDevice,
    /// Its socket's path, with the links of the root's path followed.
    pub(super) path: PathBuf,
    pub(super) directory: Option<Attributes>,
    /// Whether there is a socket in it.
    pub(super) socket: bool,
    /// Whether somebody listens on it.
    pub(super) listening: Listening,
    /// Whether a pod has the device; nothing if the kubelet does not tell.
    pub(super) in_use: Option<bool>,
    /// The switch's own socket for it, in the switch's directory (client mode).
    pub(super) switch_socket: Option<SwitchSocket>,
    pub(super) info: PathBuf,
    /// What the file says, or why it cannot be read; nothing if there is none.
    pub(super) said: Option<Result<Value, String>>,
}

/// Whether somebody listens on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listening {
    Yes,
    /// Nobody on this node.
    No,
    /// Nobody that can be seen from here, where not all processes can.
    Unseen,
}

/// A socket in the switch's own directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SwitchSocket {
    pub(super) path: PathBuf,
    /// Whether the switch listens on it.
    pub(super) listening: Listening,
}

/// A switch's database and process.
#[derive(Debug)]
pub(super) struct InspectedSwitch {
    pub(super) database: Result<Database, OvsdbError>,
    /// By a port's name what its path points to, with the links of its directory followed.
    pub(super) resolved: BTreeMap<String, PathBuf>,
    pub(super) datapath: Datapath,
}

/// What ovs-vswitchd says.
#[derive(Debug)]
pub(super) enum Datapath {
    /// Its process id is not written down there.
    Unknown(PathBuf),
    /// It does not answer.
    Silent(OvsdbError),
    /// `dpif/show`.
    Shows(String),
}

impl Snapshot {
    /// The switch of a device.
    pub(super) fn switch(&self, device: &ConfiguredDevice) -> Option<&InspectedSwitch> {
        self.switches.get(&self.scope.switches.get(device.switch)?.ovsdb)
    }

    /// The port of a device, on whatever bridge of its switch.
    pub(super) fn port(&self, device: &ConfiguredDevice) -> Option<&InterfaceRow> {
        let database = self.switch(device)?.database.as_ref().ok()?;
        let name = device.id.port_name();
        database.interfaces.iter().find(|interface| interface.name == name)
    }
}
