//! Stable links: a directory link with a constant name for each network, so that the path in the domain means the
//! right directory in every pod a VM migrates to.
//!
//! A link names the *directory* of the socket. In server mode QEMU unlinks and binds the last component of its
//! path, so a link in that place would be replaced by a socket that no switch ever looks for.
//!
//! The only code that creates or renames a link. It never follows, replaces or removes what is not our link.

use std::{fmt, io, path::PathBuf};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, readlinkat, renameat, symlinkat, unlinkat},
    io::Errno,
};

use vocabulary::ComputePath;

/// A link to be: its name, and the directory in the *compute container* that it leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StableLink {
    /// One plain file name.
    pub name: String,
    /// May not exist here: the sidecar does not have the compute container's mounts.
    pub target: ComputePath,
}

/// The directory of the links: an existing one, and what is made below it when the first link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDir {
    root: PathBuf,
    below: Vec<&'static str>,
}

impl LinkDir {
    /// `root` must exist when a link is made; `below` are plain names.
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
    /// It was there and right.
    Kept,
    /// It is new.
    Created,
    /// It led elsewhere before.
    Replaced,
}

/// A link that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Something else stands in its place.
    #[error(
        "link {path}: the name is taken by something that is not a link of this sidecar: remove it from the pod's hook volume"
    )]
    Occupied {
        /// Link or directory, as the sidecar sees it.
        path: String,
    },
    /// No right to write.
    #[error(
        "link {path}: {error}: the sidecar must run as the user that KubeVirt gives it (uid 107), who may write its hook directory"
    )]
    Permission {
        /// Link or directory, as the sidecar sees it.
        path: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// Anything else.
    #[error("link {path}: {error}")]
    Io {
        /// Link or directory, as the sidecar sees it.
        path: String,
        /// What the kernel said.
        error: io::Error,
    },
}

/// Makes the link, or leaves it if it is right already; atomic, so that QEMU always finds the old or the new one.
pub fn ensure(dir: &LinkDir, link: &StableLink) -> Result<Outcome, LinkError> {
    let path = format!("{dir}/{}", link.name);
    let dir = open_or_make(dir)?;
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
        Err(Errno::INVAL) => {
            return Err(LinkError::Occupied { path: path.to_owned() });
        }
        Err(error) => return Err(explain(path.to_owned(), error)),
    }
    let temporary = make_temporary(dir, link).map_err(|error| explain(path.to_owned(), error))?;
    renameat(dir, &temporary, dir, &link.name).map(|()| Outcome::Replaced).map_err(|error| {
        // The rename's error is the one to tell; a temporary link left behind harms nobody.
        let _ = unlinkat(dir, &temporary, AtFlags::empty());
        match error {
            Errno::ISDIR | Errno::NOTEMPTY => LinkError::Occupied { path: path.to_owned() },
            error => explain(path.to_owned(), error),
        }
    })
}

/// A link under a name that nobody else uses: in KubeVirt ≤ 1.5 two sidecars share the directory.
fn make_temporary(dir: &OwnedFd, link: &StableLink) -> Result<String, Errno> {
    loop {
        let name = format!(".{}.{}", link.name, host_io::random::hex8()?);
        match symlinkat(link.target.as_str(), dir, &name) {
            Ok(()) => return Ok(name),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Opens the directory, making what is missing below its root, without following a link below it.
fn open_or_make(dir: &LinkDir) -> Result<OwnedFd, LinkError> {
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
mod tests {
    use std::{fs, os::unix::fs::symlink, path::Path};

    use super::*;

    fn link(target: &str) -> StableLink {
        StableLink { name: "pod6c270ef2f25".to_owned(), target: ComputePath::directory(target).unwrap() }
    }

    fn dir(root: &Path) -> LinkDir {
        LinkDir::new(root.to_owned(), &["hook-sidecar-0", "userdata"])
    }

    fn entries(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn makes_keeps_and_replaces() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("hook-sidecar-0/userdata/pod6c270ef2f25");
        assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap(), Outcome::Created);
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/run/a"));
        assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap(), Outcome::Kept);
        assert_eq!(ensure(&dir(root.path()), &link("/run/b")).unwrap(), Outcome::Replaced);
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/run/b"));
        assert_eq!(entries(path.parent().unwrap()), ["pod6c270ef2f25"]);
        assert_eq!(entries(root.path()), ["hook-sidecar-0"]);
    }

    #[test]
    fn leaves_what_is_not_a_link() {
        let root = tempfile::tempdir().unwrap();
        let userdata = root.path().join("hook-sidecar-0/userdata");
        let path = userdata.join("pod6c270ef2f25");
        fs::create_dir_all(&path).unwrap();
        let expected = format!(
            "link {}: the name is taken by something that is not a link of this sidecar: remove it from the pod's hook volume",
            path.display()
        );
        assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap_err().to_string(), expected);
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "kept").unwrap();
        assert_eq!(ensure(&dir(root.path()), &link("/run/a")).unwrap_err().to_string(), expected);
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        assert_eq!(entries(&userdata), ["pod6c270ef2f25"]);
    }

    #[test]
    fn does_not_follow_a_link_in_place_of_its_directory() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        symlink(elsewhere.path(), root.path().join("hook-sidecar-0")).unwrap();
        assert_eq!(
            ensure(&dir(root.path()), &link("/run/a")).unwrap_err().to_string(),
            format!(
                "link {}/hook-sidecar-0: the name is taken by something that is not a link of this sidecar: remove it \
                 from the pod's hook volume",
                root.path().display()
            )
        );
        assert!(entries(elsewhere.path()).is_empty());
    }

    #[test]
    fn tells_a_missing_hook_directory() {
        let root = tempfile::tempdir().unwrap();
        let gone = root.path().join("gone");
        assert_eq!(
            ensure(&dir(&gone), &link("/run/a")).unwrap_err().to_string(),
            format!("link {}: No such file or directory (os error 2)", gone.display())
        );
    }
}
