//! What a resource offers to the kubelet: the seam between the kubelet's API and what stands behind it.

use std::{
    future::{Future, ready},
    pin::Pin,
};

use tokio::sync::watch;

/// One device as the kubelet is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The device's id.
    pub(crate) id: String,
    /// Whether it may be given to a pod.
    pub(crate) healthy: bool,
    /// The NUMA node that it is on, if that is known.
    pub(crate) numa_node: Option<u32>,
}

/// What a container gets with the devices that it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Directories.
    pub(crate) mounts: Vec<DirMount>,
    /// Environment variables.
    pub(crate) envs: Vec<(String, String)>,
}

/// A directory of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirMount {
    /// Its path on the host.
    pub(crate) host: String,
    /// Its path in the container.
    pub(crate) container: String,
    /// Whether the container may only look and connect.
    pub(crate) read_only: bool,
}

/// Why devices are not given to a container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AllocateError {
    /// The kubelet asked for a device that this resource does not have.
    #[error("{0}")]
    Unknown(String),
    /// It could not be made ready.
    #[error("{0}")]
    Failed(String),
}

/// Waiting for devices to be free.
pub(crate) type Freeing<'f> = Pin<Box<dyn Future<Output = Result<(), AllocateError>> + Send + 'f>>;

/// A resource that is registered with the kubelet.
pub(crate) trait Resource: Send + Sync + 'static {
    /// The whole name, `<domain>/<name>`.
    fn name(&self) -> &str;

    /// All its devices, and every change.
    fn offers(&self) -> watch::Receiver<Vec<Offer>>;

    /// Waits until nothing of earlier pods is left of the devices outside the node's file system.
    fn free<'f>(&'f self, _ids: &'f [String]) -> Freeing<'f> {
        Box::pin(ready(Ok(())))
    }

    /// Makes devices ready for one container.
    fn allocate(&self, ids: &[String]) -> Result<Grant, AllocateError>;

    /// Of the `available` devices the `size` that had better be given, the ones that `must` be included first.
    fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String>;
}
