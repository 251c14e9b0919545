//! The CNI plugin's entry point: variables and standard input in, one answer out.

use std::{
    env,
    io::{self, Read, Write},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use cni::environment::Variables;

/// The most that is read, in bytes. Configurations have some hundred.
const INPUT_MAX: u64 = 16 << 20;

/// How long a runtime may take to write its configuration. The configuration's own `timeout` is not known before.
const INPUT_TIME: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let started = Instant::now();
    let variables = variables();
    if !variables.contains_key("CNI_COMMAND") && env::args().nth(1).is_some_and(|flag| flag == "--version") {
        return say(&format!("vhostuser {}\n", env!("CARGO_PKG_VERSION")), "", true);
    }
    // Called by hand there may be nobody to end the input.
    let stdin = if variables.contains_key("CNI_COMMAND") { input() } else { Ok(Vec::new()) };
    let answer = cni::run(variables, stdin, started);
    say(&answer.stdout, &answer.stderr, answer.success)
}

/// Standard input to its end. Whoever keeps it open does not keep this process.
fn input() -> io::Result<Vec<u8>> {
    let (done, read) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut stdin = Vec::new();
        let result = io::stdin().lock().take(INPUT_MAX).read_to_end(&mut stdin);
        let _ = done.send(result.map(|_| stdin));
    })?;
    read.recv_timeout(INPUT_TIME).unwrap_or_else(|_| {
        let seconds = INPUT_TIME.as_secs();
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("did not end within {seconds}s")))
    })
}

fn variables() -> Variables {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let all = env::vars_os().map(|(name, value)| (text(name), text(value)));
    all.filter(|(name, _)| name.starts_with("CNI_")).collect()
}

/// A runtime that does not hear the answer must not take it for a success.
fn say(stdout: &str, stderr: &str, success: bool) -> ExitCode {
    host_io::stderr::say(stderr);
    let mut out = io::stdout().lock();
    let said = out.write_all(stdout.as_bytes()).and_then(|()| out.flush());
    if success && said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
