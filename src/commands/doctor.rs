//! `doctor`: what is wrong here, and what mends it.

use std::process::ExitCode;

use findings::exit;
use vocabulary::ComputePath;

use crate::{
    cli::{DoctorCommand, DoctorPodArgs},
    doctor,
};

/// The device plugin's binary is on every node, and knows what belongs there.
const ON_NODE: &str = "error: a node is looked at with 'vhostuser-device-plugin doctor', on the node or in the device \
                       plugin's pod";

pub(super) fn run(command: DoctorCommand) -> ExitCode {
    match command {
        DoctorCommand::Pod(args) => run_pod(args),
        DoctorCommand::Node => exit::fail(exit::USAGE, ON_NODE),
    }
}

fn run_pod(args: DoctorPodArgs) -> ExitCode {
    let compute_hook_dir = match ComputePath::directory(&args.compute_hook_dir) {
        Ok(path) => path,
        Err(error) => return exit::fail(exit::USAGE, &format!("error: --compute-hook-dir: {error}")),
    };
    let places = doctor::Places {
        hook_dir: args.hook_dir,
        compute_hook_dir,
        network_info: args.network_info.into(),
        dra_dir: args.dra_dir.into(),
        container_name: args.container_name,
    };
    exit::report(&doctor::examine(&places), args.json)
}
