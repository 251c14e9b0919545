//! A device's socket directory. Its tenant may put anything into it at any time, and we work on it as root: so nothing
//! here follows a link, leaves the directory, or believes that a name still means what it meant a moment ago.

mod access;
mod clear;
mod error;
mod lock;
mod open;

use std::path::{Path, PathBuf};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, FileType, Mode, statat, unlinkat},
    io::Errno,
};

pub use access::{Access, Label, NoLabel, Owner};
pub use error::SocketDirError;
pub use lock::DeviceLock;

use error::failure;
pub use open::{open_mounted, open_trusted};

use open::open_below;

use crate::atomic_file;
use vocabulary::{DeviceId, HostDir, POD_DIR, SOCKET_FILE};

/// An open socket directory.
#[derive(Debug)]
pub struct SocketDir {
    fd: OwnedFd,
    path: PathBuf,
}

/// The socket in a socket directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Whose it is.
    pub owner: Owner,
    /// Its permission bits.
    pub mode: u32,
    /// The inode's number: another one is another socket.
    pub inode: u64,
}

impl SocketDir {
    /// Opens the directory of a device; `None` if there is none.
    pub fn open(root: &HostDir, id: &DeviceId) -> Result<Option<Self>, SocketDirError> {
        let path = root.device(id);
        let found = open_trusted(root.as_ref())
            .and_then(|root| open_mounted(&root, id.as_str()))
            .and_then(|device| open_below(&device, POD_DIR));
        match found {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failure(&path, "cannot be opened", error)),
        }
    }

    /// A directory of that name below one that is open already. `shown` is the latter's path, for messages.
    pub fn open_at(parent: impl AsFd, shown: &Path, name: &str) -> Result<Self, SocketDirError> {
        let path = shown.join(name);
        let fd = open_below(parent, name).map_err(|error| failure(&path, "cannot be opened", error))?;
        Ok(Self { fd, path })
    }

    /// Gives the directory itself its owner and rights, whatever a tenant made of them.
    pub fn own(&self, access: &Access) -> Result<(), SocketDirError> {
        access.apply_to_dir(&self.fd).map_err(|(action, error)| failure(&self.path, action, error))
    }

    /// Gives the directory an SELinux label.
    pub fn label(&self, label: &Label) -> Result<Result<(), NoLabel>, SocketDirError> {
        label.apply(&self.fd).map_err(|error| failure(&self.path, "cannot be labelled", error))
    }

    /// Removes everything in it, to any depth; how many entries there were.
    pub fn clear(&self) -> Result<usize, SocketDirError> {
        clear::clear(&self.fd, &self.path)
    }

    /// The socket, if there is one. A link or a file of that name is none.
    pub fn find_socket(&self) -> Result<Option<Socket>, SocketDirError> {
        match statat(&self.fd, SOCKET_FILE, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Socket => Ok(Some(Socket {
                owner: Owner { uid: stat.st_uid, gid: stat.st_gid },
                mode: stat.st_mode & 0o7777,
                inode: stat.st_ino,
            })),
            Ok(_) | Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failure(&self.path.join(SOCKET_FILE), "cannot be inspected", error)),
        }
    }

    /// Whether there is an entry of this name, whatever it is. `name` must be a plain file name.
    pub fn has(&self, name: &str) -> Result<bool, SocketDirError> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(failure(&self.path.join(name), "cannot be inspected", error)),
        }
    }

    /// Removes one entry that is not a directory; whether there was one. `name` must be a plain file name.
    pub fn remove(&self, name: &str) -> Result<bool, SocketDirError> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(failure(&self.path.join(name), "cannot be removed", error)),
        }
    }

    /// Removes what [`write_file`](Self::write_file) has made of this name, be it whole or not.
    pub fn remove_written(&self, name: &str) -> Result<(), SocketDirError> {
        self.remove(&atomic_file::temporary(name))?;
        self.remove(name).map(drop)
    }

    /// Puts a file into it, whole or not at all. `name` must be a plain file name, `mode` the permission bits.
    pub fn write_file(
        &self,
        name: &str,
        bytes: &[u8],
        owner: Owner,
        mode: u32,
    ) -> Result<(), SocketDirError> {
        let done = atomic_file::write(&self.fd, name, bytes, Mode::from_raw_mode(mode), Some(owner));
        let path = || self.path.join(name);
        done.map_err(|error| SocketDirError::Io { path: path(), action: "cannot be written", error })
    }

    /// Whose it is.
    pub fn owner(&self) -> Result<Owner, SocketDirError> {
        let stat = rustix::fs::fstat(&self.fd);
        let stat = stat.map_err(|error| failure(&self.path, "cannot be inspected", error))?;
        Ok(Owner { uid: stat.st_uid, gid: stat.st_gid })
    }
}

impl AsFd for SocketDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests;
