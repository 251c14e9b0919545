//! The socket root and the devices' directories in it, as mounts of their own.
//!
//! The root is mounted onto itself with `nosuid,nodev,noexec,nosymfollow`: whoever walks into it, the switch too, is not
//! led elsewhere by a link that a tenant has made. The directory of a device on which the guest listens is a small
//! file system of its own, so a tenant that fills it stops nobody else. All this is in place before the first device
//! is offered; nothing is mounted later.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{
        AtFlags, Dir, FlockOperation, Mode, StatxAttributes, StatxFlags, fchmod, flock, fstat, mkdirat,
        statx, unlinkat,
    },
    io::Errno,
    mount::UnmountFlags,
};
use tracing::{info, warn};

use super::{config::Sockets, mounts};
use crate::{
    atomic_file,
    socketdir::{NoLabel, SocketDir, SocketDirError, open_trusted},
    vhostuser::{DeviceId, SocketMode},
};

/// Says that a directory is this program's to keep in order. What is in any other is not touched.
const MARKER: &str = ".vhostuser-device-plugin";

/// How long a predecessor may take to end.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// Rights of the root: others may pass through it, and none but us may list it.
const ROOT_MODE: u32 = 0o711;

/// Rights of a directory that is not ready yet.
const UNFINISHED: u32 = 0o700;

/// Why the socket root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The kernel refused.
    #[error("socket root {}: {action}: {error}", path.display())]
    Io {
        /// The root or a directory in it.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// It holds what is not ours.
    #[error(
        "socket root {} is not empty and was not made by this plugin: give it a directory of its own (sockets.hostRoot)",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// Another instance works in it.
    #[error("socket root {}: another device plugin works in it: end that one first", .0.display())]
    Locked(PathBuf),
    /// A directory that was made for the other mode.
    #[error(
        "{} was made for a resource of another mode and may be in use: give the resource another name, or remove it when no pod has it",
        .0.display()
    )]
    OtherMode(PathBuf),
    /// Inside a device's directory.
    #[error(transparent)]
    Directory(#[from] SocketDirError),
}

/// The root, ready and locked for as long as this value lives.
#[derive(Debug)]
pub struct SocketRoot {
    fd: OwnedFd,
    path: PathBuf,
    settings: Sockets,
}

impl SocketRoot {
    /// Makes the root what it must be.
    pub fn prepare(settings: &Sockets) -> Result<Self, RootError> {
        let path = make(settings.host_root.as_ref())?;
        let fail = |action| io_error(&path, action);
        let below = open_trusted(&path).map_err(fail("cannot be opened"))?;
        lock(&below, &path)?;
        claim(&below, &path)?;
        if !is_mount(&below, "").map_err(fail("cannot be looked at"))? {
            mounts::onto_itself(&path)
                .map_err(fail("cannot be mounted onto itself (is CAP_SYS_ADMIN missing?)"))?;
        }
        mounts::harden(&path).map_err(fail("cannot be remounted nosuid,nodev,noexec"))?;
        // The old descriptor is below the mount.
        let fd = open_trusted(&path).map_err(fail("cannot be opened"))?;
        lock_again(below, &fd).map_err(fail("cannot be locked"))?;
        fchmod(&fd, Mode::from_raw_mode(ROOT_MODE)).map_err(fail("its mode cannot be set"))?;
        if !mounts::is_shared(&path).map_err(fail("its mount cannot be found"))? {
            warn!(
                root = %path.display(),
                "mounts made here are seen in this mount namespace only: in a container the volume needs \
                 mountPropagation: Bidirectional"
            );
        }
        Ok(Self { fd, path, settings: settings.clone() })
    }

    /// Its path without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory of a device if there is none, and finishes one that a killed process has left unfinished.
    /// One that is ready is not touched: a pod may be using it.
    pub fn ensure(&self, id: &DeviceId, mode: SocketMode) -> Result<(), RootError> {
        let path = self.path.join(id.as_str());
        let fail = |action| io_error(&path, action);
        match mkdirat(&self.fd, id.as_str(), Mode::from_raw_mode(UNFINISHED)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(fail("cannot be made")(error)),
        }
        let mounted = is_mount(&self.fd, id.as_str()).map_err(fail("cannot be looked at"))?;
        match mode {
            SocketMode::Server if !mounted => {
                if !self.is_empty(id)? {
                    return Err(RootError::OtherMode(path));
                }
                mounts::small(&path, self.settings.limits).map_err(fail("cannot be mounted"))?;
            }
            SocketMode::Client if mounted => return Err(RootError::OtherMode(path)),
            _ => {}
        }
        let dir = SocketDir::open_at(&self.fd, &self.path, id)?;
        let stat = fstat(&dir).map_err(fail("cannot be looked at"))?;
        match stat.st_uid == 0 && stat.st_mode & 0o7777 == UNFINISHED {
            true => self.finish(&dir, mode),
            false => Ok(()),
        }
    }

    /// Makes the directory of a device ready for another pod: empty, with its owner and rights. How many entries the
    /// one before had left.
    pub fn hand_over(&self, id: &DeviceId, mode: SocketMode) -> Result<usize, RootError> {
        self.ensure(id, mode)?;
        let dir = SocketDir::open_at(&self.fd, &self.path, id)?;
        let removed = dir.clear()?;
        self.finish(&dir, mode)?;
        Ok(removed)
    }

    /// Removes what a pod has left that is gone.
    pub fn clear(&self, id: &DeviceId) -> Result<usize, RootError> {
        Ok(SocketDir::open_at(&self.fd, &self.path, id)?.clear()?)
    }

    /// Removes the directory of a device that is offered no more.
    pub fn remove(&self, id: &DeviceId) -> Result<(), RootError> {
        let path = self.path.join(id.as_str());
        let fail = |action| io_error(&path, action);
        while is_mount(&self.fd, id.as_str()).map_err(fail("cannot be looked at"))? {
            mounts::unmount(&path, UnmountFlags::DETACH).map_err(fail("cannot be unmounted"))?;
        }
        self.clear(id)?;
        unlinkat(&self.fd, id.as_str(), AtFlags::REMOVEDIR).map_err(fail("cannot be removed"))
    }

    /// Every directory in the root that can be a device's.
    pub fn devices(&self) -> Result<Vec<DeviceId>, RootError> {
        let names = list(&self.fd).map_err(io_error(&self.path, "cannot be listed"))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    fn finish(&self, dir: &SocketDir, mode: SocketMode) -> Result<(), RootError> {
        if let Some(label) = &self.settings.label
            && let Err(NoLabel) = dir.label(label)?
        {
            info!("this kernel has no SELinux labels: sockets.selinuxLabel has no effect");
        }
        // Last: it is what tells a finished directory.
        Ok(dir.own(&self.settings.access_of(mode))?)
    }

    fn is_empty(&self, id: &DeviceId) -> Result<bool, RootError> {
        let dir = SocketDir::open_at(&self.fd, &self.path, id)?;
        let names = list(dir).map_err(io_error(&self.path.join(id.as_str()), "cannot be listed"))?;
        Ok(names.is_empty())
    }
}

impl AsFd for SocketRoot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The root's real path; it is made if there is none.
fn make(path: &Path) -> Result<PathBuf, RootError> {
    let fail = |action| move |error| RootError::Io { path: path.to_owned(), action, error };
    fs::create_dir_all(path).map_err(fail("cannot be made"))?;
    fs::canonicalize(path).map_err(fail("cannot be resolved"))
}

fn lock(fd: &OwnedFd, path: &Path) -> Result<(), RootError> {
    let deadline = Instant::now() + PREDECESSOR;
    loop {
        match flock(fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => sleep(Duration::from_millis(100)),
            Err(Errno::WOULDBLOCK) => return Err(RootError::Locked(path.to_owned())),
            Err(error) => return Err(io_error(path, "cannot be locked")(error)),
        }
    }
}

/// The lock belongs to the inode, which both descriptors have, but each open file holds its own.
fn lock_again(below: OwnedFd, fd: &OwnedFd) -> Result<(), Errno> {
    drop(below);
    flock(fd, FlockOperation::NonBlockingLockExclusive)
}

/// Takes an empty directory for ours, once.
fn claim(fd: &OwnedFd, path: &Path) -> Result<(), RootError> {
    let fail = |action| io_error(path, action);
    let names = list(fd).map_err(fail("cannot be listed"))?;
    let ours = |name: &String| name == MARKER || name.starts_with(atomic_file::TEMPORARY);
    if names.iter().any(|name| name == MARKER) {
        return Ok(());
    }
    if !names.iter().all(ours) {
        return Err(RootError::NotOurs(path.to_owned()));
    }
    let mode = Mode::from_raw_mode(0o444);
    atomic_file::write(fd, MARKER, b"", mode, None).map_err(|error| RootError::Io {
        path: path.to_owned(),
        action: "its marker cannot be written",
        error,
    })
}

/// Whether a mount begins at `name` below an open directory, or at the directory itself where it is empty.
fn is_mount(dir: impl AsFd, name: &str) -> Result<bool, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let found = statx(dir, name, flags, StatxFlags::empty())?;
    if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    } else {
        // Linux 5.8 and later have it.
        Err(Errno::NOSYS)
    }
}

fn list(dir: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(Errno) -> RootError {
    let path = path.to_owned();
    move |error| RootError::Io { path, action, error: error.into() }
}

#[cfg(test)]
mod tests;
