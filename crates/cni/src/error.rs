//! What goes wrong, and the code by which a runtime knows it.

use std::{io, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::version::Version;
use node::fields::Mistakes;
use node::socketdir::SocketDirError;
use ovs::OvsdbError;
use vocabulary::device_info::DeviceInfoError;
use vocabulary::{DeviceId, PathError, Quoted, SOCKET_FILE, SocketMode};

/// Why a command failed. The codes below 100 are the specification's.
#[derive(Debug, thiserror::Error)]
pub enum CniError {
    /// A version that is not spoken here.
    #[error("cniVersion {} is not supported, only {}", Quoted(.0), Version::list())]
    Version(String),
    /// A command that the configuration's version does not have.
    #[error("{command} needs cniVersion {least} or later, the configuration has {version}")]
    TooOld {
        /// The command.
        command: &'static str,
        /// The first version that has it.
        least: Version,
        /// The configuration's.
        version: Version,
    },
    /// Fields that mean nothing here, and nothing else is wrong.
    #[error("network configuration: {0}")]
    UnknownFields(String),
    /// What the runtime says in its environment.
    #[error("environment: {0}")]
    Environment(Mistakes),
    /// The file system says no.
    #[error("{}: {action}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// In the device's directory.
    #[error(transparent)]
    SocketDir(#[from] SocketDirError),
    /// Standard input is not what it should be.
    #[error("network configuration: {0}")]
    Decode(String),
    /// Everything that is wrong with the configuration.
    #[error("network configuration: {0}")]
    Config(Mistakes),
    /// OVS has no answer, or refuses.
    #[error(transparent)]
    Ovsdb(#[from] OvsdbError),
    /// ovs-vswitchd does not do what the database says.
    #[error(
        "port {port} is in OVSDB, but ovs-vswitchd has not carried it out within {:.1}s: check that ovs-vswitchd runs, \
         and look at its log",
        .waited.as_secs_f64()
    )]
    NotTakenUp {
        /// The port.
        port: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The switch's socket is not in the device's directory.
    #[error(
        "port {port} listens, but its socket is not at {} after {:.1}s: the device plugin's daemon on this node puts it \
         there; check that vhostuser-device-plugin runs and that its switch's `sockets` is the directory where OVS makes \
         sockets",
        .path.display(), .waited.as_secs_f64()
    )]
    NotPlaced {
        /// The port.
        port: String,
        /// Where it should be.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// Others changed the same rows in each attempt.
    #[error("port {0} could not be made in {1} attempts, because its bridge or name changed meanwhile")]
    Unsettled(String, usize),
    /// The port or the attachment is taken.
    #[error("{0}")]
    Taken(String),
    /// No device was allocated to the pod.
    #[error(
        "no device was given (deviceID, runtimeConfig.deviceID): the NAD's annotation k8s.v1.cni.cncf.io/resourceName \
         must name the vhost-user device plugin's resource, and the pod must request that resource, once for each NIC"
    )]
    NoDevice,
    /// What was written down of the device cannot be used.
    #[error("device {device}: {}: {problem}", file.display())]
    DeviceInfo {
        /// The device.
        device: DeviceId,
        /// The file, or the directory where it should be.
        file: PathBuf,
        /// What is wrong.
        problem: DeviceInfoProblem,
    },
    /// The switch is not what a vhost-user port needs.
    #[error("{0}")]
    Switch(String),
    /// OVS could not make the port.
    #[error("{0}")]
    PortFailed(String),
    /// What CHECK found.
    #[error("the attachment is not as it was made: {0}")]
    Deviations(String),
    /// The IPAM plugin failed.
    #[error("IPAM plugin {}: {msg}", Quoted(.plugin))]
    Ipam {
        /// Its type.
        plugin: String,
        /// Its code.
        code: u64,
        /// Its words.
        msg: String,
    },
    /// STATUS: no ADD can succeed.
    #[error("{0}")]
    Unavailable(String),
    /// STATUS: no ADD can succeed, and those that have may be cut off.
    #[error("{0}")]
    Limited(String),
}

/// What is wrong with a device-info file.
#[derive(Debug, thiserror::Error)]
pub enum DeviceInfoProblem {
    /// Nobody wrote one.
    #[error(
        "no file *-{0}-device.json describes the device: check that vhostuser-device-plugin runs on this node, and give \
         the NAD the capability CNIDeviceInfoFile"
    )]
    Missing(DeviceId),
    /// More than one could be meant.
    #[error("{0} describe it: give the device plugin's resources names that differ, and remove stale files")]
    Ambiguous(String),
    /// Not JSON.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// Not a vhost-user device.
    #[error(transparent)]
    Refused(DeviceInfoError),
    /// Of another device.
    #[error(
        "its path {} does not end in '/{device}/{SOCKET_FILE}', so it belongs to another device: which socket the pod \
         would get is not certain; check the device plugin",
        Quoted(.path)
    )]
    OtherDevice {
        /// The path.
        path: String,
        /// The device that was allocated.
        device: DeviceId,
    },
    /// The other end listens.
    #[error(
        "its mode is '{device}' ({}), the NAD's is '{nad}' ({}): correct the NAD, or name a resource of that mode",
        .device.both_ends(), .nad.both_ends()
    )]
    OtherMode {
        /// The device's.
        device: SocketMode,
        /// The NAD's.
        nad: SocketMode,
    },
    /// The host's side of it has no directory.
    #[error(
        "does not exist: socketRoot must be the device plugin's sockets.hostRoot, and the device plugin must have given \
         the device to the pod"
    )]
    NoDirectory,
    /// The host's side of it is of another group.
    #[error(
        "belongs to group {is}, the NAD's group is {should}: set the device plugin's sockets.owner.gid, or correct the NAD"
    )]
    OtherGroup {
        /// The group that it has.
        is: u32,
        /// The one that the NAD names.
        should: u32,
    },
    /// The host's side of it has too long a path.
    #[error("{0}: choose a shorter socketRoot or resource name (OVS would cut the path off without a word)")]
    TooLong(PathError),
}

impl CniError {
    /// The code that runtimes look at.
    pub fn code(&self) -> u64 {
        match self {
            Self::Version(_) | Self::TooOld { .. } => 1,
            Self::UnknownFields(_) => 2,
            Self::Environment(_) => 4,
            Self::SocketDir(SocketDirError::Busy { .. }) => 11,
            Self::Io { .. } | Self::SocketDir(_) => 5,
            Self::Decode(_) => 6,
            Self::Config(_) => 7,
            Self::Ovsdb(error) if error.is_out_of_reach() => 11,
            Self::NotTakenUp { .. } | Self::NotPlaced { .. } | Self::Unsettled(..) => 11,
            Self::Unavailable(_) => 50,
            Self::Limited(_) => 51,
            Self::Taken(_) => 100,
            Self::NoDevice => 101,
            Self::DeviceInfo { .. } => 102,
            Self::Switch(_) => 103,
            Self::PortFailed(_) => 104,
            Self::Deviations(_) => 105,
            Self::Ovsdb(_) => 106,
            Self::Ipam { code, .. } => *code,
        }
    }
}

/// An error, and what else went wrong while undoing what was done before it.
#[derive(Debug)]
pub struct Failure {
    /// The error.
    pub error: Box<CniError>,
    /// What else.
    pub notes: Vec<String>,
}

impl<E: Into<CniError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: Box::new(error.into()), notes: Vec::new() }
    }
}

impl Failure {
    /// The object that the specification asks for.
    pub fn json(&self, version: Version) -> Value {
        let mut json = json!({
            "cniVersion": version.as_str(), "code": self.error.code(), "msg": self.error.to_string(),
        });
        if !self.notes.is_empty() {
            json["details"] = self.notes.join("; ").into();
        }
        json
    }
}
