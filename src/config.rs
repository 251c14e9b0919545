//! What the process was started with, checked. Pure values; reading flags and environment is [`crate::cli`]'s.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use crate::symlink::LinkDir;
use vocabulary::{ComputePath, QueuePairs, RingSize, SOCKET_PATH_MAX};

/// The folder for our links, below the sidecar's part of the shared volume: KubeVirt's developer guide keeps it free.
const USERDATA: &str = "userdata";

/// The directory that stands for `$CONTAINER_NAME` where KubeVirt (≤ 1.5) sets none: a VM that is upgraded by live
/// migration then finds its links under the same path in KubeVirt ≥ 1.6.
const FLAT_CONTAINER: &str = "hook-sidecar-0";

/// Decides what a NIC gets when neither the VMI nor an annotation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicConfig {
    /// The registered name of our binding, if it is known.
    pub binding_name: Option<String>,
    /// Where the links are.
    pub layout: Layout,
    /// Descriptors in a receive ring.
    pub rx_queue_size: RingSize,
    /// Descriptors in a transmit ring.
    pub tx_queue_size: RingSize,
    /// The most queue pairs of a NIC.
    pub max_queue_pairs: QueuePairs,
    /// Seconds between QEMU's attempts to connect in client mode.
    pub reconnect_timeout: NonZeroU32,
    /// Whether NICs get a `<target dev>`.
    pub target_dev: bool,
}

/// Where attachments are written down, and how long to wait for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The downward API file.
    pub network_info: PathBuf,
    /// The folder of DRA device metadata.
    pub dra_dir: PathBuf,
    /// The most time that one call waits, all its waits together.
    pub wait: Duration,
}

/// The sidecar's own container, by KubeVirt's name for it: `hook-sidecar-<N>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerName(String);

impl ContainerName {
    /// Nothing for any name that KubeVirt would not give: such a name says nothing about the volume's layout.
    pub fn parse(name: &str) -> Option<Self> {
        let number = name.strip_prefix("hook-sidecar-")?;
        let plain = !number.is_empty() && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The links' directory as the sidecar writes it and as the compute container (QEMU) sees it.
///
/// | KubeVirt | sidecar | compute |
/// |---|---|---|
/// | ≥ 1.6 | `<hook dir>/userdata` | `<hook dir>/$CONTAINER_NAME/userdata` |
/// | ≤ 1.5 | `<hook dir>/hook-sidecar-0/userdata` | the same |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where this process makes the links.
    pub links: LinkDir,
    /// What QEMU is told.
    pub compute: ComputePath,
}

impl Layout {
    /// The layout that a container name (or its absence) stands for.
    pub fn new(hook_dir: PathBuf, compute_hook_dir: &ComputePath, container: Option<&ContainerName>) -> Self {
        let name = container.map_or(FLAT_CONTAINER, ContainerName::as_str);
        let below: &[&str] = if container.is_some() { &[USERDATA] } else { &[FLAT_CONTAINER, USERDATA] };
        Self { links: LinkDir::new(hook_dir, below), compute: compute_hook_dir.join(name).join(USERDATA) }
    }

    /// Whether a socket with the usual file name still has a path of [`SOCKET_PATH_MAX`] bytes.
    pub fn has_room_for_a_socket(&self) -> bool {
        const BEHIND: usize = "/pod6c270ef2f25/vhost.sock".len();
        self.compute.as_str().len() + BEHIND <= SOCKET_PATH_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kubevirts_container_names_count() {
        for good in ["hook-sidecar-0", "hook-sidecar-12"] {
            assert_eq!(ContainerName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "compute", "hook-sidecar-", "hook-sidecar-x", "hook-sidecar-0/..", "hook-sidecar-+1"]
        {
            assert_eq!(ContainerName::parse(bad), None, "{bad}");
        }
    }
}
