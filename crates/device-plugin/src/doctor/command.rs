//! The command line of `vhostuser-device-plugin doctor`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use findings::exit;

use super::{Places, examine};

/// Kept out of the sidecar, which runs once per VM.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The device plugin's configuration [default: /etc/vhostuser/device-plugin.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where device-info files are
    #[arg(long, value_name = "DIR", default_value = vocabulary::device_info::DEVICE_PLUGIN_DIR)]
    pub(crate) device_info_dir: PathBuf,
    /// The kubelet's PodResources socket: it knows which devices pods have
    #[arg(long, value_name = "SOCKET", default_value = crate::POD_RESOURCES)]
    pub(crate) pod_resources: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Does what the command line says.
pub(crate) fn run(args: DoctorArgs) -> ExitCode {
    let places = Places::new(args.config, args.device_info_dir, args.pod_resources);
    match examine(&places) {
        Ok(report) => exit::report(&report, args.json),
        Err(failure) => exit::fail(exit::USAGE, &format!("error: {failure}")),
    }
}
