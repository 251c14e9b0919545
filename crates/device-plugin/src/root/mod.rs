//! The socket root and the devices' directories in it, as mounts of their own.
//!
//! ```text
//! <root>/                 mounted onto itself: nosuid,nodev,noexec,nosymfollow      root's, 0711
//! <root>/<device id>/     guest listens: a small file system of its own            root's, 0711
//! <root>/<device id>/pod/ what the pod sees, a new directory for each pod          the workload's
//! ```
//!
//! Whoever walks into the root, the switch too, is not led elsewhere by a link that a tenant has made; a tenant that
//! fills its directory stops nobody else; and one that keeps its directory open beyond its pod's end holds nothing of
//! the next pod's. All mounts are in place before the first device is offered; nothing is mounted later.

mod error;

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{
        AtFlags, Dir, FlockOperation, Gid, Mode, StatxAttributes, StatxFlags, Uid, fchmod, fchown, flock,
        fstat, mkdirat, renameat, stat, statx, unlinkat,
    },
    io::Errno,
    mount::UnmountFlags,
};
use tracing::{info, warn};

pub(crate) use error::RootError;
use error::io_error;

use super::{config::Config, mounts};
use crate::config::Sockets;
use host_io::{look::Attributes, random};
use node::atomic_file;
use node::socketdir::{NoLabel, SocketDir, SocketDirError, open_mounted, open_trusted};
use vocabulary::{DeviceId, POD_DIR, SocketMode};

/// Says that a directory is this program's to keep in order, and for which domain. What is in any other is not touched.
const MARKER: &str = ".vhostuser-device-plugin";

/// How long a predecessor may take to end.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// Rights of the root and of devices' directories: others may pass, and none but us may list or change them.
pub(crate) const PASS_MODE: u32 = 0o711;

/// The root, ready and locked for as long as this value lives.
#[derive(Debug)]
pub(crate) struct SocketRoot {
    fd: OwnedFd,
    path: PathBuf,
    settings: Sockets,
    /// Holds the lock.
    _lock: OwnedFd,
}

impl SocketRoot {
    /// Makes the root what it must be. Waits for a predecessor to end, 10 s at most.
    pub(crate) fn prepare(config: &Config) -> Result<Self, RootError> {
        let settings = config.sockets.clone();
        let path = make(settings.host_root.as_ref())?;
        let fail = |action| io_error(&path, action);
        if !mounts::is_shared(&path).map_err(fail("its mount cannot be found (is /proc missing?)"))? {
            return Err(RootError::NotShared(path));
        }
        let lock = lock(&path)?;
        // Opened after the wait: a predecessor has mounted it meanwhile, or not.
        let below = open_trusted(&path).map_err(fail("cannot be opened"))?;
        claim(&below, &path, config.domain.as_str())?;
        if !is_mount(&below, "").map_err(fail("cannot be inspected"))? {
            mounts::onto_itself(&path)
                .map_err(fail("cannot be mounted onto itself (is CAP_SYS_ADMIN missing?)"))?;
        } else if mounts::is_hard(&path).map_err(fail("its mount cannot be found"))? == (false, false) {
            // A predecessor was killed in the middle of it.
            mounts::again(&path).map_err(fail("cannot be mounted again"))?;
        }
        mounts::harden(&path).map_err(fail("cannot be remounted nosuid,nodev,noexec"))?;
        let fd = open_trusted(&path).map_err(fail("cannot be opened"))?;
        close_to_others(&fd).map_err(fail("its owner and mode cannot be set"))?;
        Ok(Self { fd, path, settings, _lock: lock })
    }

    /// Its path without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes and mounts the directory of a device if there is none, and finishes what a killed process has left
    /// unfinished. One that is ready is not touched: a pod may be using it.
    pub(crate) fn ensure(&self, id: &DeviceId, mode: SocketMode) -> Result<(), RootError> {
        let path = self.path.join(id.as_str());
        let fail = |action| io_error(&path, action);
        match mkdirat(&self.fd, id.as_str(), Mode::from_raw_mode(PASS_MODE)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(fail("cannot be made")(error)),
        }
        let mounted = is_mount(&self.fd, id.as_str()).map_err(fail("cannot be inspected"))?;
        match mode {
            SocketMode::Server if mounted => mounts::resize(&path, self.settings.limits),
            SocketMode::Server => self.mount(id)?,
            SocketMode::Client if mounted => return Err(RootError::OtherMode(path)),
            SocketMode::Client => {}
        }
        let device = open_mounted(&self.fd, id.as_str()).map_err(fail("cannot be opened"))?;
        close_to_others(&device).map_err(fail("its owner and mode cannot be set"))?;
        match list(&device).map_err(fail("cannot be listed"))?.iter().any(|name| name == POD_DIR) {
            true => Ok(()),
            false => self.make_pod_dir(&device, &path, mode),
        }
    }

    /// Restores owner and rights of a device's directories, and the pod's directory if it is missing. Nothing is mounted
    /// and nothing in them is touched. Returns true if anything was wrong.
    pub(crate) fn repair(&self, id: &DeviceId, mode: SocketMode) -> Result<bool, RootError> {
        let path = self.path.join(id.as_str());
        let fail = |action| io_error(&path, action);
        self.check_in_place(id, mode)?;
        let device = open_mounted(&self.fd, id.as_str()).map_err(fail("cannot be opened"))?;
        let mut fixed = close_to_others(&device).map_err(fail("its owner and mode cannot be set"))?;
        let access = self.settings.access_of(mode);
        match SocketDir::open_at(&device, &path, POD_DIR) {
            Err(SocketDirError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                self.make_pod_dir(&device, &path, mode)?;
                fixed = true;
            }
            Err(error) => return Err(error.into()),
            Ok(pod) => {
                let found = Attributes::from(fstat(&pod).map_err(fail("cannot be inspected"))?);
                if (found.uid, found.gid, found.mode)
                    != (access.owner.uid, access.owner.gid, access.mode_as_seen())
                {
                    pod.own(&access)?;
                    fixed = true;
                }
            }
        }
        Ok(fixed)
    }

    /// Restores owner and mode of the root itself. Returns true if they were wrong.
    pub(crate) fn repair_itself(&self) -> Result<bool, RootError> {
        close_to_others(&self.fd).map_err(io_error(&self.path, "its owner and mode cannot be set"))
    }

    /// Gives a device to another pod: a new directory, empty, with its owner and rights. How many entries the pod
    /// before had left. What cannot be removed of these is told, and in nobody's way.
    pub(crate) fn hand_over(&self, id: &DeviceId, mode: SocketMode) -> Result<usize, RootError> {
        let path = self.path.join(id.as_str());
        let fail = |action| io_error(&path, action);
        self.check_in_place(id, mode)?;
        let device = open_mounted(&self.fd, id.as_str()).map_err(fail("cannot be opened"))?;
        match renameat(&device, POD_DIR, &device, temporary().map_err(fail("no random number"))?) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(fail("the directory of the pod before cannot be put aside")(error)),
        }
        let removed = remove_all(&device, &path, POD_DIR).unwrap_or_else(|error| {
            warn!("{error}: leftovers of the previous pod stay, set aside");
            0
        });
        self.make_pod_dir(&device, &path, mode)?;
        Ok(removed)
    }

    /// Removes the directory of a device that is offered no more.
    pub(crate) fn remove(&self, id: &DeviceId) -> Result<(), RootError> {
        let path = self.path.join(id.as_str());
        let fail = |action| io_error(&path, action);
        while is_mount(&self.fd, id.as_str()).map_err(fail("cannot be inspected"))? {
            mounts::unmount(&path, UnmountFlags::DETACH).map_err(fail("cannot be unmounted"))?;
        }
        let device = open_mounted(&self.fd, id.as_str()).map_err(fail("cannot be opened"))?;
        remove_all(&device, &path, "")?;
        unlinkat(&self.fd, id.as_str(), AtFlags::REMOVEDIR).map_err(fail("cannot be removed"))
    }

    /// Every directory in the root that can be a device's.
    pub(crate) fn devices(&self) -> Result<Vec<DeviceId>, RootError> {
        let names = list(&self.fd).map_err(io_error(&self.path, "cannot be listed"))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// What is mounted is still what was prepared.
    fn check_in_place(&self, id: &DeviceId, mode: SocketMode) -> Result<(), RootError> {
        let fail = |action| io_error(&self.path, action);
        let (by_path, by_fd) = (stat(&self.path), fstat(&self.fd).map_err(fail("cannot be inspected"))?);
        let same = |found: rustix::fs::Stat| (found.st_dev, found.st_ino) == (by_fd.st_dev, by_fd.st_ino);
        let mounted = is_mount(rustix::fs::CWD, &self.path).is_ok_and(|root| root)
            && is_mount(&self.fd, id.as_str()).is_ok_and(|device| device == (mode == SocketMode::Server));
        match by_path.is_ok_and(same) && mounted {
            true => Ok(()),
            false => Err(RootError::Replaced(self.path.join(id.as_str()))),
        }
    }

    fn mount(&self, id: &DeviceId) -> Result<(), RootError> {
        let path = self.path.join(id.as_str());
        let fail = |action| io_error(&path, action);
        let device = open_mounted(&self.fd, id.as_str()).map_err(fail("cannot be opened"))?;
        if !list(&device).map_err(fail("cannot be listed"))?.is_empty() {
            return Err(RootError::OtherMode(path));
        }
        mounts::small(&path, self.settings.limits).map_err(fail("cannot be mounted"))
    }

    /// Complete before it has its name.
    fn make_pod_dir(&self, device: &OwnedFd, path: &Path, mode: SocketMode) -> Result<(), RootError> {
        let fail = |action| io_error(path, action);
        let name = temporary().map_err(fail("no random number"))?;
        mkdirat(device, &name, Mode::from_raw_mode(0o700))
            .map_err(fail("the pod's directory cannot be made"))?;
        let dir = SocketDir::open_at(device, path, &name)?;
        if let Some(label) = &self.settings.label
            && let Err(NoLabel) = dir.label(label)?
        {
            info!("this kernel has no SELinux labels: sockets.selinuxLabel has no effect");
        }
        dir.own(&self.settings.access_of(mode))?;
        renameat(device, &name, device, POD_DIR).map_err(fail("the pod's directory cannot be put in place"))
    }
}

/// Removes everything in a device's directory but one name. How many entries there were in what was removed.
fn remove_all(device: &OwnedFd, path: &Path, but: &str) -> Result<usize, RootError> {
    let fail = |action| io_error(path, action);
    let mut removed = 0;
    for name in list(device).map_err(fail("cannot be listed"))?.iter().filter(|name| *name != but) {
        match unlinkat(device, name.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR) => removed += SocketDir::open_at(device, path, name)?.clear()?,
            Err(error) => return Err(fail("cannot be emptied")(error)),
        }
        unlinkat(device, name.as_str(), AtFlags::REMOVEDIR).map_err(fail("cannot be emptied"))?;
    }
    Ok(removed)
}

/// A name for what is not ready yet, or no longer in use.
fn temporary() -> Result<String, Errno> {
    Ok(format!("{}{}", atomic_file::TEMPORARY, random::hex8()?))
}

/// The root's real path; it is made if there is none.
fn make(path: &Path) -> Result<PathBuf, RootError> {
    let fail = |action| move |error| RootError::Io { path: path.to_owned(), action, error };
    fs::create_dir_all(path).map_err(fail("cannot be made"))?;
    let real = fs::canonicalize(path).map_err(fail("cannot be resolved"))?;
    let parent = real.parent().ok_or_else(|| RootError::NotOurs(real.clone()))?;
    let found = fs::metadata(parent).map_err(fail("its parent cannot be inspected"))?;
    let sticky = found.mode() & 0o1000 != 0;
    match found.uid() == 0 && (found.mode() & 0o022 == 0 || sticky) {
        true => Ok(real),
        false => Err(RootError::UnsafeParent(real)),
    }
}

/// On the directory itself, which is the same below its mount and in it.
fn lock(path: &Path) -> Result<OwnedFd, RootError> {
    let fd = open_trusted(path).map_err(io_error(path, "cannot be opened"))?;
    let deadline = Instant::now() + PREDECESSOR;
    loop {
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(fd),
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => sleep(Duration::from_millis(100)),
            Err(Errno::WOULDBLOCK) => return Err(RootError::Locked(path.to_owned())),
            Err(error) => return Err(io_error(path, "cannot be locked")(error)),
        }
    }
}

/// Claims a directory, once: if there is nothing in it but what a container runtime makes. containerd and CRI-O create
/// a missing mount source, `<root>/<id>/pod`, where somebody has removed the root under a pod that has a device.
fn claim(fd: &OwnedFd, path: &Path, domain: &str) -> Result<(), RootError> {
    let fail = |action| io_error(path, action);
    let failed = |action| move |error| RootError::Io { path: path.to_owned(), action, error };
    let names = list(fd).map_err(fail("cannot be listed"))?;
    let devices = || names.iter().filter_map(|name| name.parse::<DeviceId>().ok());
    if names.iter().any(|name| name == MARKER) {
        let was = fs::read_to_string(path.join(MARKER)).map_err(failed("its marker cannot be read"))?;
        if was == domain {
            return Ok(());
        }
        if devices().next().is_some() {
            return Err(RootError::OtherDomain { path: path.to_owned(), was, is: domain.to_owned() });
        }
    } else {
        let foreign = |name: &String| {
            let is_vacant_device = || name.parse::<DeviceId>().is_ok() && is_vacant(fd, name);
            !(name.starts_with(atomic_file::TEMPORARY) || is_vacant_device())
        };
        if names.iter().any(foreign) {
            return Err(RootError::NotOurs(path.to_owned()));
        }
        for device in devices() {
            open_mounted(fd, device.as_str())
                .and_then(|device| unlinkat(device, POD_DIR, AtFlags::REMOVEDIR))
                .or_else(|error| if error == Errno::NOENT { Ok(()) } else { Err(error) })
                .map_err(fail("an empty directory in it cannot be removed"))?;
        }
    }
    let mode = Mode::from_raw_mode(0o444);
    atomic_file::write(fd, MARKER, domain.as_bytes(), mode, None)
        .map_err(failed("its marker cannot be written"))
}

/// Whether a directory of root's is empty, or has nothing in it but an empty `pod` of root's.
fn is_vacant(parent: &OwnedFd, name: &str) -> bool {
    let is_roots = |dir: &OwnedFd| fstat(dir).is_ok_and(|found| found.st_uid == 0);
    let Some(device) = open_mounted(parent, name).ok().filter(is_roots) else { return false };
    match list(&device).unwrap_or_else(|_| vec![String::new()]).as_slice() {
        [] => true,
        [only] if only == POD_DIR => {
            let pod = open_mounted(&device, POD_DIR).ok().filter(is_roots);
            pod.is_some_and(|pod| list(&pod).is_ok_and(|names| names.is_empty()))
        }
        _ => false,
    }
}

/// Returns true if owner or mode were others.
fn close_to_others(fd: &OwnedFd) -> Result<bool, Errno> {
    let found = fstat(fd)?;
    if (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (0, 0, PASS_MODE) {
        return Ok(false);
    }
    fchown(fd, Some(Uid::ROOT), Some(Gid::ROOT))?;
    fchmod(fd, Mode::from_raw_mode(PASS_MODE))?;
    Ok(true)
}

/// Whether a mount begins at `name` below an open directory, or at the directory itself where it is empty.
fn is_mount(dir: impl AsFd, name: impl rustix::path::Arg) -> Result<bool, Errno> {
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

#[cfg(test)]
mod tests;
