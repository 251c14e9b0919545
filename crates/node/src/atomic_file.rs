//! Writing a small file whole or not at all.

use std::{fs::File, io::Write};

use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{AtFlags, Mode, OFlags, fchmod, fsync, openat, renameat, unlinkat},
    io::Errno,
};

use crate::socketdir::Owner;
use vocabulary::short_digest;

/// Temporary files begin with this; one that a killed process has left may be removed by whoever owns the directory.
pub const TEMPORARY: &str = ".vhostuser-";

/// The temporary name for a file. Always the same and always short: what a killed process has left is replaced by the
/// next one that writes the same file, or removed with it.
pub fn temporary(name: &str) -> String {
    format!("{TEMPORARY}{}", short_digest(name, 8))
}

/// Puts `bytes` into the file `name` of an open directory, by way of a temporary name: nobody reads half a file, and
/// what stood there, be it a link, is replaced and not followed. `name` must be a plain file name that nobody else
/// writes at the same time.
pub fn write(
    dir: impl AsFd,
    name: &str,
    bytes: &[u8],
    mode: Mode,
    owner: Option<Owner>,
) -> std::io::Result<()> {
    write_then(dir.as_fd(), name, bytes, (mode, owner), |_| Ok(()))
}

/// The same, and whole even after a power failure.
pub fn write_durably(dir: impl AsFd, name: &str, bytes: &[u8], mode: Mode) -> std::io::Result<()> {
    let dir = dir.as_fd();
    write_then(dir, name, bytes, (mode, None), File::sync_all)?;
    Ok(fsync(dir)?)
}

fn write_then(
    dir: BorrowedFd<'_>,
    name: &str,
    bytes: &[u8],
    (mode, owner): (Mode, Option<Owner>),
    then: impl FnOnce(&File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let temporary = temporary(name);
    let fd = match openat(dir, &temporary, flags, mode) {
        Err(Errno::EXIST) => {
            unlinkat(dir, &temporary, AtFlags::empty())?;
            openat(dir, &temporary, flags, mode)?
        }
        result => result?,
    };
    let mut file = File::from(fd);
    let written = fill(&mut file, bytes, mode, owner).and_then(|()| then(&file));
    // Closed before anybody can run it: a program that is open for writing is busy.
    drop(file);
    written.and_then(|()| Ok(renameat(dir, &temporary, dir, name)?)).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = unlinkat(dir, &temporary, AtFlags::empty());
    })
}

/// The mode is set once more, because creating a file obeys the umask.
fn fill(file: &mut File, bytes: &[u8], mode: Mode, owner: Option<Owner>) -> std::io::Result<()> {
    if let Some(owner) = owner {
        owner.apply(&*file)?;
    }
    fchmod(&*file, mode)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn replaces_a_link_and_leaves_what_it_led_to() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("file"), dir.path().join("victim"));
        fs::write(&victim, "kept").unwrap();
        symlink(&victim, &path).unwrap();
        let fd = File::open(dir.path()).unwrap();
        write(&fd, "file", b"new", Mode::from_raw_mode(0o644), None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
    }

    #[test]
    fn what_a_killed_process_has_left_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(temporary("file"));
        assert_eq!(left.file_name().unwrap(), ".vhostuser-3b9c358f");
        fs::write(&left, "half").unwrap();
        let fd = File::open(dir.path()).unwrap();
        write(&fd, "file", b"new", Mode::from_raw_mode(0o644), None).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("file")).unwrap(), "new");
        assert!(!left.exists());
    }

    #[test]
    fn leaves_nothing_when_it_fails() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("file")).unwrap();
        let fd = File::open(dir.path()).unwrap();
        let error = write(&fd, "file", b"new", Mode::from_raw_mode(0o644), None).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::IsADirectory);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
