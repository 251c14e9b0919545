//! A node: hugepages, the switch, the socket root, and for each device who waits for whom.

mod check;
mod devices;
mod gather;
mod listeners;
mod scope;
mod snapshot;
mod sources;
mod switch;
mod switches;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use crate::{config::Config, paths};
use findings::{Report, exit};
use host_io::source_file;
use scope::Scope;
use sources::{NodeError, Sources};

/// Kept out of the sidecar, which runs once per VM.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The device plugin's configuration [default: /etc/vhostuser/device-plugin.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where device-info files are
    #[arg(long, value_name = "DIR", default_value = vocabulary::device_info::DEVICE_PLUGIN_DIR)]
    device_info_dir: PathBuf,
    /// The kubelet's PodResources socket: it knows which devices pods have
    #[arg(long, value_name = "SOCKET", default_value = paths::POD_RESOURCES)]
    pod_resources: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> ExitCode {
    let sources = Sources {
        config: args.config,
        device_info: args.device_info_dir,
        pod_resources: args.pod_resources,
        proc: "/proc".into(),
        sys: "/sys".into(),
        answer: Duration::from_secs(2),
    };
    match examine(&sources) {
        Ok(report) => exit::report(&report, args.json),
        Err(failure) => exit::fail(exit::USAGE, &format!("error: {failure}")),
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration cannot be used.
    #[error("{}: {problem}: pass the device plugin's configuration with --config", path.display())]
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
/// The configuration cannot be used, or a part of the node cannot be inspected.
pub(crate) fn examine(sources: &Sources) -> Result<Report, Failure> {
    let scope = read_scope(sources.config.as_deref())?;
    Ok(check::check(&gather::gather(scope, sources)?))
}

fn read_scope(named: Option<&Path>) -> Result<Scope, Failure> {
    let path = named.unwrap_or(Path::new(paths::CONFIG));
    let failed = |problem: String| Failure::Config { path: path.to_owned(), problem };
    let bytes = source_file::read(path).map_err(|error| failed(error.to_string()))?;
    let scope = match bytes {
        None if named.is_none() => Scope::defaults(),
        None => return Err(failed("does not exist".to_owned())),
        Some(bytes) => {
            let yaml = String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?;
            Config::parse(&yaml).map(Scope::of)
        }
    };
    scope.map_err(|mistakes| failed(mistakes.to_string()))
}

#[cfg(test)]
mod tests;
