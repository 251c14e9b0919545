//! One file for each subcommand.

mod doctor;
mod manifest;
mod render;
mod serve;

use std::process::ExitCode;

use crate::cli::{Cli, Command};

/// What is said of a CONTAINER_NAME that tells nothing.
const STRANGE_CONTAINER_NAME: &str = "this is not a container name of KubeVirt's ('hook-sidecar-<N>'): taking the \
     volume for a flat one, as KubeVirt 1.5 and older mount it";

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        None => serve::run(cli.serve),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Render(args)) => render::run(args),
        Some(Command::Doctor(command)) => doctor::run(command),
    }
}
