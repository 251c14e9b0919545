//! The sidecar's entry point. The program is the library of the same name.

use std::process::ExitCode;

use clap::Parser;
use network_vhostuser_binding::{cli::Cli, commands};

fn main() -> ExitCode {
    commands::run(Cli::parse())
}
