//! The command line of `vhostuser-device-plugin`: one module per subcommand, with its arguments and its run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{doctor, install_cni, serve};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "vhostuser-device-plugin",
    version,
    about = "Gives each pod its own vhost-user socket directories, through the kubelet's device plugin API.",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install the CNI plugin binary on the node and exit
    ///
    /// The installation is atomic: the runtime sees either the old program or the new one. An up-to-date program is
    /// left alone.
    InstallCni(install_cni::Args),
    /// Diagnose this node: what is wrong, where, and how to fix it
    ///
    /// Changes nothing. Exit code 0: no problems found; 1: there are findings; 2: wrong usage, or the node cannot be
    /// inspected.
    Doctor(doctor::Args),
}

/// Runs the subcommand; serves if none is given.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Some(Command::InstallCni(args)) => install_cni::run(&args),
        Some(Command::Doctor(args)) => doctor::run(args),
        None => serve::run(cli.serve),
    }
}
