//! Where a network's vhost-user socket is, whoever wrote it down: network-info ([`crate::downwardapi`]) or DRA
//! device metadata ([`crate::dra`]).

use std::{fmt, io, sync::Arc};

use vocabulary::{ComputePath, NetworkName, PathError, Quoted, SocketMode, device_info::DeviceInfoError};

/// One network's vhost-user socket, and what its source says of the NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The socket's path in the compute container.
    pub socket: ComputePath,
    /// Who creates it.
    pub mode: SocketMode,
    /// The MAC address offered, as written: parsed only if the VMI names none.
    pub mac: Option<String>,
    /// The MTU offered, in bytes as written: checked only if nothing else names one.
    pub mtu: Option<i64>,
    /// The file that says so, for messages.
    pub file: String,
}

/// Why a network has no attachment.
#[derive(Debug, thiserror::Error)]
#[error("network {}: {file}: {problem}", Quoted(.network.as_str()))]
pub struct AttachmentError {
    /// The network.
    pub network: NetworkName,
    /// The file (or folder) that should tell.
    pub file: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with the file that should tell.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Problem {
    /// It may still come: worth waiting for.
    #[error("{0}")]
    NotReady(NotReady),
    /// Written and wrong: waiting does not help.
    #[error("{0}")]
    Refused(Refusal),
    /// The file system says no.
    #[error("cannot be read: {0}; check the mount and its permissions in the sidecar")]
    Unreadable(Arc<io::Error>),
}

impl Problem {
    /// The file system says no.
    pub fn unreadable(error: io::Error) -> Self {
        Self::Unreadable(Arc::new(error))
    }
}

/// Not there yet, or only in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// No such file or folder.
    Missing,
    /// Nothing in it.
    Empty,
    /// It ends too early or is otherwise not JSON.
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It lists other networks (or requests), not ours.
    NotListed,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Empty => f.write_str("is empty"),
            Self::NotJson { line, column } => {
                write!(f, "is not complete JSON (line {line}, column {column})")
            }
            Self::NotListed => f.write_str("does not list it"),
        }
    }
}

/// A listed network that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// network-info has the network, without `deviceInfo`.
    #[error(
        "the network is listed without deviceInfo: check that the NAD's annotation k8s.v1.cni.cncf.io/resourceName \
         names the vhost-user device plugin's resource and that the VM requests it"
    )]
    NoDeviceInfo,
    /// Its `deviceInfo` is not that of a vhost-user device, or is wrong.
    #[error(transparent)]
    DeviceInfo(#[from] DeviceInfoError),
    /// A field is missing or of another type.
    #[error("{field} {problem}: fix what writes it ({writer})")]
    Field {
        /// Its place.
        field: String,
        /// What is wrong.
        problem: &'static str,
        /// Who writes the file.
        writer: &'static str,
    },
    /// Not a path to a socket.
    #[error(
        "{field}: {error}: the device plugin or driver must publish the socket's absolute path in the compute container"
    )]
    Path {
        /// Its place.
        field: &'static str,
        /// What is wrong with the path.
        error: PathError,
    },
    /// The same network twice.
    #[error("the network is listed {0} times: each network must have one socket")]
    ListedTwice(usize),
    /// A request with several devices, or none.
    #[error("request {} has {count} devices{list}: a vhost-user NIC takes exactly one, so set the claim's count to 1", Quoted(.request))]
    Devices {
        /// The request.
        request: String,
        /// How many.
        count: usize,
        /// Their names, with a leading space; empty for none.
        list: String,
    },
    /// Metadata only in versions that this sidecar does not know.
    #[error(
        "metadata versions {versions} are not known, only {known}: use a sidecar that fits this Kubernetes"
    )]
    Versions {
        /// What the file has.
        versions: String,
        /// What is known.
        known: String,
    },
    /// `spec.resourceClaims` does not say what the claim is.
    #[error("spec.resourceClaims names no claim or template for {}: add it to the VM", Quoted(.0))]
    UnknownClaim(String),
    /// A name that would lead out of the metadata folder.
    #[error("{} cannot be part of a path: correct the VM's resourceClaim", Quoted(.0))]
    BadName(String),
}
