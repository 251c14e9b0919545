//! One at a time for each device.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, FlockOperation, Mode, flock, unlinkat},
    io::Errno,
};

use super::{
    error::{SocketDirError, failure},
    open::{open_mounted, open_trusted},
};
use crate::atomic_file;
use host_io::source_file;
use vocabulary::{DeviceId, HostDir};

/// The record of the port that ADD has made, in the device's own directory. Frozen.
const RECORD: &str = "port.json";

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// A device that nobody else works on as long as this value lives. The kernel gives it back when the process ends,
/// however that comes to be.
///
/// The lock is on the device's own directory, which no pod sees: it has only the one below.
#[derive(Debug)]
pub struct DeviceLock {
    fd: OwnedFd,
    path: PathBuf,
}

impl DeviceLock {
    /// Waits for the device until the deadline; `None` if it has no directory.
    ///
    /// # Errors
    /// Somebody else had it all the time.
    pub fn take(root: &HostDir, id: &DeviceId, deadline: Instant) -> Result<Option<Self>, SocketDirError> {
        let path = root.as_ref().join(id.as_str());
        let started = Instant::now();
        let opened = open_trusted(root.as_ref()).and_then(|root| open_mounted(&root, id.as_str()));
        let fd = match opened {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(failure(&path, "cannot be opened", error)),
        };
        loop {
            match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(Self { fd, path })),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    return Err(SocketDirError::Busy { path, waited: started.elapsed() });
                }
                Err(error) => return Err(failure(&path, "cannot be locked", error)),
            }
        }
    }

    /// Whether something is written down of a device's port, as seen without holding it.
    pub fn has_record(root: &HostDir, id: &DeviceId) -> bool {
        root.as_ref().join(id.as_str()).join(RECORD).exists()
    }

    /// What was written down of the device's port, if anything.
    pub fn record(&self) -> Result<Option<Vec<u8>>, SocketDirError> {
        let path = self.path.join(RECORD);
        source_file::read(&path).map_err(|error| SocketDirError::Io { path, action: "cannot be read", error })
    }

    /// Writes it down, whole or not at all.
    pub fn write_record(&self, bytes: &[u8]) -> Result<(), SocketDirError> {
        let written = atomic_file::write(&self.fd, RECORD, bytes, Mode::from_raw_mode(0o600), None);
        let path = || self.path.join(RECORD);
        written.map_err(|error| SocketDirError::Io { path: path(), action: "cannot be written", error })
    }

    /// Forgets it, and what a killed process has left of it.
    pub fn remove_record(&self) -> Result<(), SocketDirError> {
        for name in [RECORD, &atomic_file::temporary(RECORD)] {
            match unlinkat(&self.fd, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(failure(&self.path.join(name), "cannot be removed", error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_record_is_the_devices_and_not_the_pods() {
        let dir = tempfile::tempdir().unwrap();
        let root: HostDir = dir.path().to_str().unwrap().parse().unwrap();
        fs::create_dir_all(dir.path().join("ovs-0/pod")).unwrap();
        let lock = DeviceLock::take(&root, &"ovs-0".parse().unwrap(), Instant::now()).unwrap().unwrap();
        assert_eq!(lock.record().unwrap(), None);
        lock.write_record(b"{}").unwrap();
        lock.write_record(b"[]").unwrap();
        assert_eq!(lock.record().unwrap(), Some(b"[]".to_vec()));
        assert_eq!(fs::read(dir.path().join("ovs-0/port.json")).unwrap(), b"[]");
        lock.remove_record().unwrap();
        lock.remove_record().unwrap();
        assert_eq!(fs::read_dir(dir.path().join("ovs-0")).unwrap().count(), 1);
    }

    #[test]
    fn one_at_a_time_and_never_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let root: HostDir = dir.path().to_str().unwrap().parse().unwrap();
        let id: DeviceId = "ovs-0".parse().unwrap();
        let take = |patience| DeviceLock::take(&root, &id, Instant::now() + patience);
        assert!(take(Duration::ZERO).unwrap().is_none());
        fs::create_dir(dir.path().join("ovs-0")).unwrap();
        let first = take(Duration::ZERO).unwrap().unwrap();
        let patience = Duration::from_millis(200);
        let error = take(patience).unwrap_err();
        let SocketDirError::Busy { path, waited } = error else { panic!("{error}") };
        assert_eq!(path, dir.path().join("ovs-0"));
        assert!(waited >= patience);
        let second = thread::spawn({
            let (root, id) = (root.clone(), id.clone());
            move || DeviceLock::take(&root, &id, Instant::now() + Duration::from_secs(20)).unwrap().is_some()
        });
        drop(first);
        assert!(second.join().unwrap());
    }
}
