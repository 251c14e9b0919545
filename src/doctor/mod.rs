//! A VM's pod: the hook directory, network-info, the links, and the lengths of paths.

mod check;
mod gather;
pub mod snapshot;

use std::path::PathBuf;

use findings::Report;
use vocabulary::ComputePath;

/// What to look at. Its defaults are the sidecar's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The directory for hook sockets and links.
    pub hook_dir: PathBuf,
    /// The same volume's root as compute sees it.
    pub compute_hook_dir: ComputePath,
    /// The downward API file.
    pub network_info: PathBuf,
    /// The folder with metadata of DRA claims.
    pub dra_dir: PathBuf,
    /// `CONTAINER_NAME`.
    pub container_name: Option<String>,
}

/// Looks at the pod, and says what is wrong.
pub fn examine(places: &Places) -> Report {
    check::check(&gather::gather(places))
}

#[cfg(test)]
mod tests;
