//! One at a time for each device.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fd::OwnedFd,
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{
    error::{SocketDirError, failure},
    open::{open_mounted, open_trusted},
};
use vocabulary::{DeviceId, HostDir};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(5);

/// A device that nobody else works on as long as this value lives. The kernel gives it back when the process ends,
/// however that comes to be.
///
/// The lock is on the device's own directory, which no pod sees: it has only the one below.
#[derive(Debug)]
pub struct DeviceLock {
    _fd: OwnedFd,
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
                Ok(()) => return Ok(Some(Self { _fd: fd })),
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < deadline => thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    return Err(SocketDirError::Busy { path, waited: started.elapsed() });
                }
                Err(error) => return Err(failure(&path, "cannot be locked", error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
