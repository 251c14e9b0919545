use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::io::Errno;

/// What cannot be done in a socket directory.
#[derive(Debug, thiserror::Error)]
pub enum SocketDirError {
    /// The kernel refused.
    #[error("{}: {action}: {error}", path.display())]
    Io {
        /// The directory or a file in it.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// Another process works on the device.
    #[error(
        "{}: another call of the CNI plugin, or the device plugin, has worked on this device for {:.1}s: try again",
        path.display(), .waited.as_secs_f64()
    )]
    Busy {
        /// The device's own directory.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// It fills as fast as it is emptied.
    #[error(
        "{}: still not empty after {removed} removals: somebody keeps writing to it; end the process that has it open",
        path.display()
    )]
    Refilled {
        /// The directory.
        path: PathBuf,
        /// How many entries were removed.
        removed: usize,
    },
}

pub(super) fn failure(path: &Path, action: &'static str, error: Errno) -> SocketDirError {
    SocketDirError::Io { path: path.to_owned(), action, error: error.into() }
}
