//! The CNI plugin's entry point: variables and standard input in, one answer out.

use std::{
    env,
    io::{self, Read, Write},
    process::ExitCode,
};

use network_vhostuser_binding::cni::{self, environment::Variables};

/// The most that is read, in bytes. Configurations have some hundred.
const INPUT_MAX: u64 = 16 << 20;

fn main() -> ExitCode {
    let variables = variables();
    if !variables.contains_key("CNI_COMMAND") && env::args().nth(1).is_some_and(|flag| flag == "--version") {
        return say(&format!("vhostuser {}\n", env!("CARGO_PKG_VERSION")), "", true);
    }
    let mut stdin = Vec::new();
    // Called by hand there may be nobody to end the input.
    if variables.contains_key("CNI_COMMAND")
        && let Err(error) = io::stdin().lock().take(INPUT_MAX).read_to_end(&mut stdin)
    {
        return say("", &format!("standard input: {error}\n"), false);
    }
    let answer = cni::run(variables, &stdin);
    say(&answer.stdout, &answer.stderr, answer.success)
}

fn variables() -> Variables {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let all = env::vars_os().map(|(name, value)| (text(name), text(value)));
    all.filter(|(name, _)| name.starts_with("CNI_")).collect()
}

/// A runtime that does not hear the answer must not take it for a success.
fn say(stdout: &str, stderr: &str, success: bool) -> ExitCode {
    let _ = io::stderr().lock().write_all(stderr.as_bytes());
    let mut out = io::stdout().lock();
    let said = out.write_all(stdout.as_bytes()).and_then(|()| out.flush());
    if success && said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
