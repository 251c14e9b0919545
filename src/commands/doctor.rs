//! `doctor`: what is wrong here, and what mends it.

use std::process::ExitCode;

use super::{FAILED, USAGE, fail, print};
use crate::{
    cli::{DoctorCommand, DoctorNodeArgs, DoctorPodArgs},
    doctor::{finding::Report, node, pod},
    vhostuser::ComputePath,
};

/// The device plugin's binary is on every node, and knows what belongs there.
const ON_NODE: &str = "error: a node is looked at with 'vhostuser-device-plugin doctor', on the node or in the device \
                       plugin's pod";

pub(super) fn run(command: DoctorCommand) -> ExitCode {
    match command {
        DoctorCommand::Pod(args) => run_pod(args),
        DoctorCommand::Node => fail(USAGE, ON_NODE),
    }
}

/// `vhostuser-device-plugin doctor`.
pub fn run_node(args: DoctorNodeArgs) -> ExitCode {
    let places = node::Places::new(args.config, args.device_info_dir, args.pod_resources);
    match node::examine(&places) {
        Ok(report) => tell(&report, args.json),
        Err(failure) => fail(USAGE, &format!("error: {failure}")),
    }
}

fn run_pod(args: DoctorPodArgs) -> ExitCode {
    let compute_hook_dir = match ComputePath::directory(&args.compute_hook_dir) {
        Ok(path) => path,
        Err(error) => return fail(USAGE, &format!("error: --compute-hook-dir: {error}")),
    };
    let places = pod::Places {
        hook_dir: args.hook_dir,
        compute_hook_dir,
        network_info: args.network_info.into(),
        dra_dir: args.dra_dir.into(),
        container_name: args.container_name,
    };
    tell(&pod::examine(&places), args.json)
}

fn tell(report: &Report, json: bool) -> ExitCode {
    let text = if json { format!("{:#}\n", report.json()) } else { report.to_string() };
    match print(text.as_bytes()) {
        ExitCode::SUCCESS if !report.findings.is_empty() => ExitCode::from(FAILED),
        code => code,
    }
}
