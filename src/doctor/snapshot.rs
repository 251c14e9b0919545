//! A VM's pod as one of its containers sees it. Plain values.

use std::path::PathBuf;

use crate::attachment::Problem;
use crate::downwardapi::NetworkInfo;
use vocabulary::ComputePath;

#[derive(Debug)]
pub(super) struct Snapshot {
    /// The directory for hook sockets and links.
    pub(super) hook_dir: PathBuf,
    /// Whether it is writable; `None` if it is missing.
    pub(super) writable: Option<bool>,
    /// The socket for KubeVirt's plugin framework.
    pub(super) plugin: Plugin,
    /// What only this container has.
    pub(super) container: Container,
}

/// The socket for KubeVirt's plugin framework.
#[derive(Debug)]
pub(super) enum Plugin {
    /// Its directory is not here.
    NotMounted,
    /// Its directory is here without it.
    Missing(PathBuf),
    /// It is here.
    Served(PathBuf),
}

/// Which container it is.
#[derive(Debug)]
pub(super) enum Container {
    /// This program's own.
    Sidecar(Sidecar),
    /// The one with libvirt and QEMU.
    Compute(Vec<Link>),
}

/// The sidecar's view.
#[derive(Debug)]
pub(super) struct Sidecar {
    /// Whether it serves hooks, and not the plugin framework alone.
    pub(super) hooks: bool,
    /// `CONTAINER_NAME`, if it is set.
    pub(super) container_name: Option<String>,
    /// Where the links are, as this container sees it.
    pub(super) links: PathBuf,
    /// The same as compute sees it.
    pub(super) compute: ComputePath,
    /// The downward API file.
    pub(super) network_info: PathBuf,
    /// Its content.
    pub(super) info: Result<NetworkInfo, Problem>,
    /// Whether there is metadata of DRA claims, which replaces network-info.
    pub(super) claims: bool,
    /// The existing links: name and target. `None` before the first hook call.
    pub(super) made: Option<Vec<(String, String)>>,
}

/// A stable link, seen from compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Its path.
    pub(super) path: PathBuf,
    /// What it points to.
    pub(super) target: String,
    /// What that is.
    pub(super) behind: Behind,
}

/// What a link points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nothing, or not a directory.
    Nothing,
    /// A directory that QEMU cannot write to.
    ReadOnly,
    /// A directory that QEMU can write to.
    Directory,
}
