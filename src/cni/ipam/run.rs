use std::{
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::cni::environment::Variables;

/// The most that a program may say, in bytes.
const OUTPUT_MAX: u64 = 1 << 20;

/// Between two looks whether a program that has said everything has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
}

/// Runs a program until it ends, at most until the deadline; then it is killed. Its standard error is ours.
pub(super) fn run(
    program: &Path,
    variables: Variables,
    stdin: &[u8],
    deadline: Instant,
) -> io::Result<Ended> {
    let mut command = Command::new(program);
    command.envs(variables).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let ended = talk(&mut child, stdin.to_vec(), deadline);
    if ended.is_err() {
        // With what it has started, which may hold our standard error open. It may have ended by itself.
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let _ = child.wait();
    }
    ended
}

/// Writes and reads in threads of their own, because a program may do neither.
fn talk(child: &mut Child, stdin: Vec<u8>, deadline: Instant) -> io::Result<Ended> {
    let (mut input, output) = (child.stdin.take(), child.stdout.take());
    thread::spawn(move || {
        // A program that does not read all of it has its reasons.
        let _ = input.as_mut().map(|input| input.write_all(&stdin));
    });
    let (done, read) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = Vec::new();
        let result = output.map_or(Ok(0), |output| output.take(OUTPUT_MAX).read_to_end(&mut stdout));
        let _ = done.send(result.map(|_| stdout));
    });
    let left = deadline.saturating_duration_since(Instant::now());
    let stdout = read.recv_timeout(left).map_err(|_| late())??;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended { success: status.success(), stdout });
        }
        if Instant::now() >= deadline {
            return Err(late());
        }
        thread::sleep(PAUSE);
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "did not end in time and was killed")
}
