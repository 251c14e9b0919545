//! One file for each subcommand, and the exit codes they share.

mod doctor;
mod manifest;
mod render;
mod serve;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::cli::{Cli, Command};

pub use doctor::run_node as doctor_node;

/// What was asked for cannot be done; the reason is on standard error.
const FAILED: u8 = 1;

/// Wrong usage, or a file that cannot be read.
const USAGE: u8 = 2;

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

fn print(output: &[u8]) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(output).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // `render … | head` is no mistake.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(FAILED, &format!("error: standard output: {error}")),
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    complain(message);
    ExitCode::from(code)
}

/// Not `eprintln!`, which panics where nobody reads standard error.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}
