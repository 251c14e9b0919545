use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

/// A unix stream of which nothing lasts longer than until its deadline: that is `ErrorKind::TimedOut`.
#[derive(Debug)]
pub(super) struct Stream {
    socket: UnixStream,
    deadline: Instant,
}

impl Stream {
    /// Connects. The socket's own send timeout bounds the wait for a place in the listener's backlog, which is what a
    /// server that has stopped accepting would otherwise cost.
    pub(super) fn connect(path: &Path, deadline: Instant) -> io::Result<Self> {
        let address = SocketAddrUnix::new(path)?;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        loop {
            set_socket_timeout(&socket, Timeout::Send, Some(left(deadline)?))?;
            match connect(&socket, &address) {
                Ok(()) => return Ok(Self { socket: socket.into(), deadline }),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Reads what is there, waiting for the first byte; nothing at the end of the stream.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(left(self.deadline)?))?;
            match self.socket.read(buffer) {
                Err(error) if is_retry(&error) => {}
                done => return done,
            }
        }
    }

    /// Writes it all.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.socket.set_write_timeout(Some(left(self.deadline)?))?;
            match self.socket.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) if is_retry(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A timeout is looked at by the clock, not by the error: the kernel may round it.
fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// The time that is left. Whole milliseconds, at least one, because a timeout of zero means none at all.
fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(left.max(Duration::from_millis(1))),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}
