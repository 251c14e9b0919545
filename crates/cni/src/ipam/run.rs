use std::{
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::environment::Variables;

/// The most that a program may say, in bytes.
const OUTPUT_MAX: u64 = 1 << 20;

/// Between two looks whether a program has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// How long an ended program's output must have been silent to count as all of it.
const QUIET: Duration = Duration::from_millis(100);

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
        end(&mut child);
    }
    ended
}

/// With what it has started, which may hold our standard error open. It may have ended by itself; one that the kernel
/// does not let go is not waited for.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
    let _ = child.kill();
    let killed = Instant::now();
    while matches!(child.try_wait(), Ok(None)) && killed.elapsed() < QUIET {
        thread::sleep(PAUSE);
    }
}

/// Writes and reads in threads of their own, because a program may do neither.
fn talk(child: &mut Child, stdin: Vec<u8>, deadline: Instant) -> io::Result<Ended> {
    let (mut input, output) = (child.stdin.take(), child.stdout.take());
    // A program that does not read all of it has its reasons.
    let write = move || {
        let _ = input.as_mut().map(|input| input.write_all(&stdin));
    };
    let (said, pieces) = mpsc::channel();
    thread::Builder::new().spawn(write)?;
    thread::Builder::new().spawn(move || output.map(|output| read(output, &said)))?;
    listen(child, &pieces, deadline)
}

fn read(output: ChildStdout, said: &Sender<io::Result<Vec<u8>>>) {
    let mut output = output.take(OUTPUT_MAX);
    loop {
        let mut piece = vec![0; 4096];
        let read = output.read(&mut piece).map(|length| {
            piece.truncate(length);
            piece
        });
        let is_last = !matches!(&read, Ok(piece) if !piece.is_empty());
        if said.send(read).is_err() || is_last {
            return;
        }
    }
}

/// Until the program has ended and its output too, or nothing more comes: what it has started, and left behind, may
/// hold the output open for as long as it lives.
fn listen(child: &mut Child, pieces: &Receiver<io::Result<Vec<u8>>>, deadline: Instant) -> io::Result<Ended> {
    let (mut stdout, mut closed, mut ended) = (Vec::new(), false, None);
    // Counts from the program's end: it may have been silent before.
    let mut silent_since = Instant::now();
    loop {
        if ended.is_none() {
            ended = child.try_wait()?;
            silent_since = Instant::now();
        }
        match pieces.recv_timeout(PAUSE) {
            Ok(piece) => {
                let piece = piece?;
                closed |= piece.is_empty();
                stdout.extend(piece);
                silent_since = Instant::now();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                closed = true;
                thread::sleep(PAUSE);
            }
        }
        match ended {
            Some(status) if closed || silent_since.elapsed() > QUIET => {
                return Ok(Ended { success: status.success(), stdout });
            }
            _ if Instant::now() >= deadline => return Err(late()),
            _ => {}
        }
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "did not end in time and was killed")
}
