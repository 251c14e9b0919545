//! Stable links: a directory link with a constant name for each network, so that the path in the domain points to the
//! right directory in every pod a VM migrates to.
//!
//! A link names the *directory* of the socket. In server mode QEMU unlinks and binds the last component of its
//! path, so a link in its place would be replaced by a socket that no switch ever looks for.
//!
//! The only code that creates or renames a link. It never follows, replaces or removes anything but our own links.

use std::{fmt, io, path::PathBuf};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, readlinkat, renameat, symlinkat, unlinkat},
    io::Errno,
};

use vocabulary::ComputePath;

/// A link to create: its name, and the directory in the *compute container* that it points to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StableLink {
    /// A plain file name.
    pub name: String,
    /// Need not exist here: the sidecar does not have the compute container's mounts.
    pub target: ComputePath,
}

/// The directory of the links: an existing root, and the folders that are created below it with the first link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDir {
    root: PathBuf,
    below: Vec<&'static str>,
}

impl LinkDir {
    /// `root` must exist when a link is created; `below` are plain names.
    pub fn new(root: PathBuf, below: &[&'static str]) -> Self {
        Self { root, below: below.to_vec() }
    }
}

impl fmt::Display for LinkDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root.display())?;
        self.below.iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

/// What [`ensure`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It already was correct.
    Kept,
    /// It is new.
    Created,
    /// It pointed elsewhere before.
    Replaced,
}

/// A link that could not be created.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Something else has its name.
    #[error(
        "link {path}: the name is taken by something that is not a link of this sidecar: remove it from the pod's hook volume"
    )]
    Occupied {
        /// Link or directory, as the sidecar sees it.
        path: String,
    },
    /// Permission denied.
    #[error(
        "link {path}: {error}: the sidecar must run as the user that KubeVirt assigns (uid 107), who may write to its hook directory"
    )]
    Permission {
        /// Link or directory, as the sidecar sees it.
        path: String,
        /// The system call's error.
        error: io::Error,
    },
    /// Anything else.
    #[error("link {path}: {error}")]
    Io {
        /// Link or directory, as the sidecar sees it.
        path: String,
        /// The system call's error.
        error: io::Error,
    },
}

/// Creates the link, or keeps it if it already is correct; atomic, so that QEMU always finds the old or the new one.
pub fn ensure(dir: &LinkDir, link: &StableLink) -> Result<Outcome, LinkError> {
    let path = format!("{dir}/{}", link.name);
    let dir = open_or_create(dir)?;
    match symlinkat(link.target.as_str(), &dir, &link.name) {
        Ok(()) => Ok(Outcome::Created),
        Err(Errno::EXIST) => replace(&dir, link, &path),
        Err(error) => Err(explain(path, error)),
    }
}

fn replace(dir: &OwnedFd, link: &StableLink, path: &str) -> Result<Outcome, LinkError> {
    match readlinkat(dir, &link.name, Vec::new()) {
        Ok(target) if target.as_bytes() == link.target.as_str().as_bytes() => return Ok(Outcome::Kept),
        Ok(_) => {}
        Err(Errno::INVAL) => return Err(LinkError::Occupied { path: path.to_owned() }),
        Err(error) => return Err(explain(path.to_owned(), error)),
    }
    let temporary = create_temporary(dir, link).map_err(|error| explain(path.to_owned(), error))?;
    renameat(dir, &temporary, dir, &link.name).map(|()| Outcome::Replaced).map_err(|error| {
        // Report the rename's error; a leftover temporary link is harmless.
        let _ = unlinkat(dir, &temporary, AtFlags::empty());
        match error {
            Errno::ISDIR | Errno::NOTEMPTY => LinkError::Occupied { path: path.to_owned() },
            error => explain(path.to_owned(), error),
        }
    })
}

/// A link under an unused name: in KubeVirt ≤ 1.5 two sidecars share the directory.
fn create_temporary(dir: &OwnedFd, link: &StableLink) -> Result<String, Errno> {
    loop {
        let name = format!(".{}.{}", link.name, host_io::random::hex8()?);
        match symlinkat(link.target.as_str(), dir, &name) {
            Ok(()) => return Ok(name),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens the directory, creating missing folders below its root, without following a link below it.
fn open_or_create(dir: &LinkDir) -> Result<OwnedFd, LinkError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut path = dir.root.display().to_string();
    let mut fd =
        openat(CWD, &dir.root, flags, Mode::empty()).map_err(|error| explain(path.clone(), error))?;
    for &part in &dir.below {
        path = format!("{path}/{part}");
        match mkdirat(&fd, part, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(explain(path, error)),
        }
        fd = openat(&fd, part, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| match error {
            Errno::NOTDIR | Errno::LOOP => LinkError::Occupied { path: path.clone() },
            error => explain(path.clone(), error),
        })?;
    }
    Ok(fd)
}

fn explain(path: String, error: Errno) -> LinkError {
    match error {
        Errno::ACCESS | Errno::PERM | Errno::ROFS => LinkError::Permission { path, error: error.into() },
        error => LinkError::Io { path, error: error.into() },
    }
}

#[cfg(test)]
mod tests;
