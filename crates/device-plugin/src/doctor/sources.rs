//! What `doctor` reads.

use std::{io, path::PathBuf, time::Duration};

/// Where on this machine to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sources {
    /// The device plugin's configuration; the default path, if a file is there.
    pub(super) config: Option<PathBuf>,
    /// The device-info files of device plugins.
    pub(super) device_info: PathBuf,
    /// The kubelet's PodResources socket.
    pub(super) pod_resources: PathBuf,
    /// The kernel's view of processes.
    pub(super) proc: PathBuf,
    /// The kernel's view of hardware.
    pub(super) sys: PathBuf,
    /// How long a switch or the kubelet may take to answer.
    pub(super) answer: Duration,
}

/// Something that must be looked at and cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}: run this as root, where the host's directories are mounted", path.display())]
pub(crate) struct NodeError {
    pub(super) path: PathBuf,
    pub(super) error: io::Error,
}
