//! The device plugin's entry point. The program is in the library.

use std::process::ExitCode;

use clap::Parser;
use device_plugin::{Cli, run};

fn main() -> ExitCode {
    run(Cli::parse())
}
