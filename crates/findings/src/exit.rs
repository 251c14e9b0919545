//! How a command ends: its output, its message and its exit code.

use std::process::ExitCode;

use host_io::console::{complain, print};

use crate::Report;

/// The command failed, or the report has findings.
pub const FAILED: u8 = 1;

/// Invalid usage, or a file that cannot be read.
pub const USAGE: u8 = 2;

/// Prints a report as text or as JSON.
pub fn report(report: &Report, json: bool) -> ExitCode {
    let text = if json { format!("{:#}\n", report.json()) } else { report.to_string() };
    match output(text.as_bytes()) {
        ExitCode::SUCCESS if !report.findings.is_empty() => ExitCode::from(FAILED),
        code => code,
    }
}

/// Prints a command's output.
pub fn output(bytes: &[u8]) -> ExitCode {
    match print(bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILED, &format!("error: standard output: {error}")),
    }
}

/// Prints why a command failed.
pub fn fail(code: u8, message: &str) -> ExitCode {
    complain(message);
    ExitCode::from(code)
}
