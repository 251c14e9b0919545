//! A node: hugepages, the switch, the socket root, and for each device who waits for whom.

mod check;
pub(crate) mod command;
mod devices;
mod gather;
mod kubelet;
mod listeners;
pub mod scope;
pub mod snapshot;
mod switch;
mod switches;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::config::Config;
use findings::Report;
use host_io::source_file;
use scope::Scope;

/// Where the device plugin's configuration is, if nobody says otherwise.
const CONFIG: &str = "/etc/vhostuser/device-plugin.yaml";

/// Where on this machine to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The device plugin's configuration; the usual place, if there is one there, where none is named.
    pub config: Option<PathBuf>,
    /// The device-info files of device plugins.
    pub device_info: PathBuf,
    /// The kubelet's PodResources socket.
    pub pod_resources: PathBuf,
    /// The kernel's view of processes.
    pub proc: PathBuf,
    /// The kernel's view of hardware.
    pub sys: PathBuf,
    /// How long a switch or the kubelet may take to answer.
    pub answer: Duration,
}

impl Places {
    /// Those of this machine.
    pub fn new(config: Option<PathBuf>, device_info: PathBuf, pod_resources: PathBuf) -> Self {
        let (proc, sys, answer) = ("/proc".into(), "/sys".into(), Duration::from_secs(2));
        Self { config, device_info, pod_resources, proc, sys, answer }
    }
}

/// Something that must be looked at and cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}: run this as root, where the host's directories are mounted", path.display())]
pub struct NodeError {
    path: PathBuf,
    error: io::Error,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration cannot be used.
    #[error("{}: {problem}: name the device plugin's configuration with --config", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot be looked.
    #[error(transparent)]
    Look(#[from] NodeError),
}

/// Looks at the node, and says what is wrong.
///
/// # Errors
/// The configuration cannot be used, or a part of the node cannot be looked at.
pub fn examine(places: &Places) -> Result<Report, Failure> {
    let scope = read_scope(places.config.as_deref())?;
    Ok(check::check(&gather::gather(scope, places)?))
}

fn read_scope(named: Option<&Path>) -> Result<Scope, Failure> {
    let path = named.unwrap_or(Path::new(CONFIG));
    let failed = |problem: String| Failure::Config { path: path.to_owned(), problem };
    let bytes = source_file::read(path).map_err(|error| failed(error.to_string()))?;
    let scope = match bytes {
        None if named.is_none() => Scope::defaults(),
        None => return Err(failed("does not exist".to_owned())),
        Some(bytes) => {
            let yaml = String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?;
            Config::parse(&yaml).map(|config| Scope::of(&config))
        }
    };
    scope.map_err(|mistakes| failed(mistakes.to_string()))
}

#[cfg(test)]
mod tests;
