//! Opening below a directory that a tenant may change at any time.

use std::path::Path;

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{CWD, Mode, OFlags, ResolveFlags, openat2},
    io::Errno,
};

/// Opens a directory that is one component below another, on the same mount, whatever the name has become.
pub(super) fn open_below(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    open_resolved(parent, name, ResolveFlags::NO_XDEV)
}

/// The same where a mount may begin: a device's directory is one.
pub fn open_mounted(parent: impl AsFd, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    open_resolved(parent, name, ResolveFlags::empty())
}

fn open_resolved(
    parent: impl AsFd,
    name: impl rustix::path::Arg + Copy,
    more: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | more;
    loop {
        // The kernel asks for another try where something was renamed meanwhile (openat2(2)).
        match openat2(parent.as_fd(), name, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Opens a directory by its path, for those that only we may change.
pub fn open_trusted(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
