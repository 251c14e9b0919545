//! Standard error that may have no reader: no write here waits for one longer than it is allowed to.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What a pipe that polls as writable takes without blocking (`PIPE_BUF`). `O_NONBLOCK` would do, too, but it belongs to
/// the open file, which other processes share.
const CHUNK: usize = 4096;

/// How long a command's message waits for a reader who is behind.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes a command's message to standard error, as far as somebody reads it.
pub fn say(text: &str) {
    write(io::stderr(), text.as_bytes(), Some(PATIENCE));
}

/// Writes to a pipe, file or socket and returns how many bytes it took within `patience` (`None`: for ever). Bytes that can
/// never be read, such as those for a closed pipe, count as taken.
pub(crate) fn write(out: impl AsFd, bytes: &[u8], patience: Option<Duration>) -> usize {
    let deadline = patience.map(|patience| Instant::now() + patience);
    let mut written = 0;
    while written < bytes.len() {
        let rest = &bytes[written..];
        match writable(&out, deadline) {
            Ok(true) => {}
            Ok(false) => return written,
            Err(_) => return bytes.len(),
        }
        match rustix::io::write(&out, &rest[..rest.len().min(CHUNK)]) {
            Ok(count) => written += count,
            // Somebody else took the room, or has set O_NONBLOCK on the shared file.
            Err(error) if error == rustix::io::Errno::INTR || error == rustix::io::Errno::AGAIN => {}
            Err(_) => return bytes.len(),
        }
    }
    written
}

fn writable(out: &impl AsFd, deadline: Option<Instant>) -> rustix::io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(out, PollFlags::OUT)], timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return ready.map(|count| count > 0),
        }
    }
}
