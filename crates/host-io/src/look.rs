//! Inspects the file system: nothing here changes, opens for writing or connects to anything.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{
    Access, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, access, fstat, lstat, open, openat2,
    readlinkat,
};

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A socket.
    Socket,
    /// Anything else, including a link.
    Other,
}

/// Device and inode: which file it is, under any name and in any mount namespace.
pub type Identity = (u64, u64);

/// A file's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Its kind.
    pub kind: Kind,
    /// The owning user.
    pub uid: u32,
    /// The owning group.
    pub gid: u32,
    /// The permission bits.
    pub mode: u32,
    /// Which file it is.
    pub identity: Identity,
}

impl From<Stat> for Attributes {
    fn from(stat: Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::Socket => Kind::Socket,
            _ => Kind::Other,
        };
        let (uid, gid, mode) = (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777);
        Self { kind, uid, gid, mode, identity: identity(&stat) }
    }
}

fn identity(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// The attributes, without following a link at the end.
///
/// # Errors
/// It cannot be inspected; `NotFound` if there is no such file.
pub fn at(path: &Path) -> io::Result<Attributes> {
    Ok(lstat(path)?.into())
}

/// Like [`at`], without the error.
pub fn there(path: &Path) -> Option<Attributes> {
    at(path).ok()
}

/// The names in a directory, sorted.
///
/// # Errors
/// It cannot be listed.
pub fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries: Result<Vec<_>, _> = fs::read_dir(dir)?.collect();
    let mut names: Vec<_> =
        entries?.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}

/// A file of the kernel's (`/proc`): of any length, and not always UTF-8.
///
/// # Errors
/// It cannot be read.
pub fn kernel_text(path: &Path) -> io::Result<String> {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// What a link points to, as written.
pub fn link(path: &Path) -> Option<String> {
    let target = readlinkat(rustix::fs::CWD, path, Vec::new()).ok()?;
    Some(target.to_string_lossy().into_owned())
}

/// The path without links; the path itself if it cannot be resolved.
pub fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The path with the links of its directory followed; the file's own name is kept.
pub fn leads_to(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// Whether this process may write to the directory; follows links.
pub fn writable(path: &Path) -> bool {
    access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Which file a path names for a process with this root directory.
pub fn within(root: &Path, path: &str) -> Option<Identity> {
    let root = open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT).ok()?;
    fstat(file).ok().map(|stat| identity(&stat))
}

/// Like [`at`], following links; without the error.
pub fn behind(path: &Path) -> Option<Attributes> {
    rustix::fs::statat(rustix::fs::CWD, path, AtFlags::empty()).ok().map(Into::into)
}
