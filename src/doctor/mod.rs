//! `doctor`: what is wrong with a VM's pod (the hook directory, network-info, the links, the lengths of paths), and how
//! to fix it.

mod args;
mod check;
mod gather;
mod snapshot;

use std::process::ExitCode;

use clap::Subcommand;

use findings::{Report, exit};

pub use args::PodArgs;

/// Where to look.
#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// Diagnose this VM's pod, from its sidecar or its compute container: hook directory, network-info, links
    Pod(PodArgs),
    /// Print which command inspects a node: `vhostuser-device-plugin doctor`
    Node,
}

/// Kept out of the sidecar, which runs once per VM; the device plugin's binary is on every node.
const ON_NODE: &str = "error: to inspect a node, run 'vhostuser-device-plugin doctor', on the node or in the device plugin's pod";

/// Prints the report.
pub fn run(command: DoctorCommand) -> ExitCode {
    match command {
        DoctorCommand::Pod(args) => exit::report(&examine(&args), args.json),
        DoctorCommand::Node => exit::fail(exit::USAGE, ON_NODE),
    }
}

fn examine(args: &PodArgs) -> Report {
    check::check(&gather::gather(args))
}

#[cfg(test)]
mod tests;
