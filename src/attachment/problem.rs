use vocabulary::{PathError, Quoted, device_info::DeviceInfoError};

/// What is wrong with the file that should say where a network's socket is.
// The messages say what the fields are.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No such file or folder.
    #[error("is missing")]
    Missing,
    /// Nothing in it.
    #[error("is empty")]
    Empty,
    /// It ends too early or is otherwise not JSON; line and column start at 1.
    #[error("is not complete JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    /// It lists other networks (or requests), not ours.
    #[error("does not list it")]
    NotListed,
    /// The file cannot be read.
    #[error("cannot be read: {0}; check the mount and its permissions in the sidecar")]
    Unreadable(String),
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
    Field { field: String, problem: &'static str, writer: &'static str },
    /// Not a path to a socket.
    #[error(
        "{field}: {error}: the device plugin or driver must publish the socket's absolute path in the compute container"
    )]
    Path { field: &'static str, error: PathError },
    /// The same network twice.
    #[error("the network is listed {0} times: each network must have one socket")]
    ListedTwice(usize),
    /// A request with several devices, or none.
    #[error("request {} has {count} devices{list}: a vhost-user NIC takes exactly one, so set the claim's count to 1", Quoted(.request))]
    Devices {
        request: String,
        count: usize,
        /// Their names, with a leading space; empty for none.
        list: String,
    },
    /// Metadata only in versions that this sidecar does not know.
    #[error(
        "unknown metadata versions {versions}, expected {known}: use a sidecar release that supports this Kubernetes version"
    )]
    Versions { versions: String, known: String },
    /// `spec.resourceClaims` does not say what the claim is.
    #[error("spec.resourceClaims names no claim or template for {}: add it to the VM", Quoted(.0))]
    UnknownClaim(String),
    /// A name that would lead out of the metadata folder.
    #[error("{} cannot be part of a path: correct the VM's resourceClaim", Quoted(.0))]
    BadName(String),
}

impl Problem {
    /// The file is not there yet, or only in part. Anything else is there and wrong: waiting would only hide it.
    pub(crate) fn may_still_come(&self) -> bool {
        matches!(self, Self::Missing | Self::Empty | Self::NotJson { .. } | Self::NotListed)
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson { line: error.line(), column: error.column() }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// A problem, and the file or folder that has it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct FileError {
    /// For messages.
    pub file: String,
    /// What is wrong with it.
    pub problem: Problem,
}
