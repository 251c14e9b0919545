//! Emptying a directory that somebody hostile has filled.

use std::path::Path;

use rustix::{
    fd::{AsFd, BorrowedFd},
    fs::{AtFlags, Dir, renameat, unlinkat},
    io::Errno,
};

use super::{
    error::{SocketDirError, failure},
    open::open_below,
};
use host_io::random;

/// The most entries that are removed before it counts as being refilled; the largest limit that a directory may have
/// is a sixteenth of it.
const REMOVALS_MAX: usize = 1 << 14;

/// Removes everything in `dir`. A deep tree is taken apart from the top: what is in a sub-directory is moved up before
/// the sub-directory goes, so neither the stack nor the number of open files depends on what was put there.
pub(super) fn clear(dir: impl AsFd, path: &Path) -> Result<usize, SocketDirError> {
    let dir = dir.as_fd();
    let mut removed = 0;
    loop {
        let names = list(dir).map_err(|error| failure(path, "cannot be listed", error))?;
        if names.is_empty() {
            return Ok(removed);
        }
        for name in names {
            removed += remove(dir, &name)
                .map_err(|error| failure(&path.join(to_text(&name)), "cannot be removed", error))?;
            if removed > REMOVALS_MAX {
                return Err(SocketDirError::Refilled { path: path.to_owned(), removed });
            }
        }
    }
}

/// How many entries went.
fn remove(dir: BorrowedFd<'_>, name: &[u8]) -> Result<usize, Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) => Ok(1),
        Err(Errno::NOENT) => Ok(0),
        Err(Errno::ISDIR) => remove_dir(dir, name),
        Err(error) => Err(error),
    }
}

fn remove_dir(dir: BorrowedFd<'_>, name: &[u8]) -> Result<usize, Errno> {
    let child = match open_below(dir, name) {
        Ok(child) => child,
        // No longer a directory: the next listing shows what it is.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in list(child.as_fd())? {
        match unlinkat(&child, &entry, AtFlags::empty()) {
            Ok(()) => removed += 1,
            Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => move_up(child.as_fd(), &entry, dir)?,
            Err(error) => return Err(error),
        }
    }
    match unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(removed + 1),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::NOTEMPTY) => Ok(removed),
        Err(error) => Err(error),
    }
}

fn move_up(child: BorrowedFd<'_>, entry: &[u8], dir: BorrowedFd<'_>) -> Result<(), Errno> {
    loop {
        match renameat(child, entry, dir, random::hex8()?) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // The name is taken.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(error) => return Err(error),
        }
    }
}

fn list(dir: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_bytes().to_owned();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn to_text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}
