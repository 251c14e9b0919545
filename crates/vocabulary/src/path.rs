use std::fmt;

use super::Quoted;

/// The longest socket path in bytes: `sun_path` has 108, one is the terminating zero (unix(7)). QEMU refuses
/// more at start, long after libvirt's define; OVS truncates it silently.
pub const SOCKET_PATH_MAX: usize = 107;

/// The longest target that a symlink can have, in bytes (`PATH_MAX` less the terminating zero).
const LINK_TARGET_MAX: usize = 4095;

/// An absolute path in the *compute container's* mount namespace.
///
/// Deliberately not `AsRef<Path>`: this process lives in another mount namespace and must never open it. Held
/// without empty and `.` components; never with `..`, control characters or a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComputePath(String);

/// Why a string is not a valid path in the compute container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Empty, or does not begin with a slash.
    #[error("path {} is not absolute", Quoted(.0))]
    NotAbsolute(String),
    /// Leaves the directory it names.
    #[error("path {} contains '..'", Quoted(.0))]
    ParentComponent(String),
    /// Contains a control character, such as newline or NUL, or one that XML does not allow.
    #[error("path {} contains a control character", Quoted(.0))]
    ControlCharacter(String),
    /// Ends in a slash or is the root, so it has no file name.
    #[error("path {} names a directory, not a socket", Quoted(.0))]
    NoFileName(String),
    /// Directly in the root directory, which cannot be a socket directory of its own.
    #[error("path {} is in the root directory, but a socket needs its own directory", Quoted(.0))]
    InRoot(String),
    /// Longer than the kernel accepts.
    #[error("path {} has {length} bytes, more than the {max} of {what}", Quoted(.path))]
    TooLong {
        /// The path.
        path: String,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        max: usize,
        /// What the limit belongs to.
        what: &'static str,
    },
}

impl ComputePath {
    /// Checks and normalises a path that names a file.
    pub fn file(text: &str) -> Result<Self, PathError> {
        if text.ends_with('/') || text.ends_with("/.") {
            return Err(PathError::NoFileName(text.to_owned()));
        }
        let path = Self::directory(text)?;
        match path.0.rfind('/') {
            Some(0) => Err(PathError::InRoot(text.to_owned())),
            _ => Ok(path),
        }
    }

    /// Checks and normalises a path that names a directory; a trailing slash is dropped.
    pub fn directory(text: &str) -> Result<Self, PathError> {
        if text.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
            return Err(PathError::ControlCharacter(text.to_owned()));
        }
        if !text.starts_with('/') {
            return Err(PathError::NotAbsolute(text.to_owned()));
        }
        let mut path = String::with_capacity(text.len());
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => return Err(PathError::ParentComponent(text.to_owned())),
                _ => path.extend(["/", component]),
            }
        }
        if path.is_empty() {
            path.push('/');
        }
        check_length(&path, LINK_TARGET_MAX, "a symlink's target").map(|()| Self(path))
    }

    /// This directory with one more component. `name` must be a plain file name.
    pub fn join(&self, name: &str) -> Self {
        let slash = if self.0.ends_with('/') { "" } else { "/" };
        Self([&self.0, slash, name].concat())
    }

    /// Whether this path is `directory` or inside it.
    pub fn is_in(&self, directory: &Self) -> bool {
        self.0.strip_prefix(&directory.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The directory that holds the file.
    pub fn parent(&self) -> Self {
        match self.0.rsplit_once('/') {
            Some((parent, _)) if !parent.is_empty() => Self(parent.to_owned()),
            _ => Self("/".to_owned()),
        }
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The path as a string, to write into a domain or a link.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ComputePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A socket's path as QEMU gets it: a [`ComputePath`] of at most 107 bytes ([`SOCKET_PATH_MAX`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketPath(ComputePath);

impl SocketPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<ComputePath> for SocketPath {
    type Error = PathError;

    fn try_from(path: ComputePath) -> Result<Self, PathError> {
        check_length(path.as_str(), SOCKET_PATH_MAX, "a unix socket").map(|()| Self(path))
    }
}

impl fmt::Display for SocketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn check_length(path: &str, max: usize, what: &'static str) -> Result<(), PathError> {
    match path.len() {
        length if length > max => Err(PathError::TooLong { path: path.to_owned(), length, max, what }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_and_takes_apart() {
        let path = ComputePath::file("/run//vhostuser/./a1/vhost.sock").unwrap();
        assert_eq!(path.as_str(), "/run/vhostuser/a1/vhost.sock");
        assert_eq!(path.parent().as_str(), "/run/vhostuser/a1");
        assert_eq!(path.file_name(), "vhost.sock");
        assert_eq!(path.parent().join("x").as_str(), "/run/vhostuser/a1/x");
        assert_eq!(ComputePath::directory("/").unwrap().join("x").as_str(), "/x");
        let directory = |text| ComputePath::directory(text).unwrap();
        assert!(path.is_in(&directory("/run/vhostuser")) && path.is_in(&path));
        assert!(
            !path.is_in(&directory("/run/vhost"))
                && !path.is_in(&directory("/run/vhostuser/a1/vhost.sock/x"))
        );
    }

    #[test]
    fn refuses_paths_that_could_lead_elsewhere() {
        let refusal = |text: &str| ComputePath::file(text).unwrap_err().to_string();
        assert_eq!(refusal(""), "path '' is not absolute");
        assert_eq!(refusal("run/vhost.sock"), "path 'run/vhost.sock' is not absolute");
        assert_eq!(refusal("/run/../etc/x"), "path '/run/../etc/x' contains '..'");
        assert_eq!(refusal("/run/.."), "path '/run/..' contains '..'");
        assert_eq!(refusal("/run/a\nb"), r"path '/run/a\nb' contains a control character");
        assert_eq!(refusal("/run/a\0b"), r"path '/run/a\0b' contains a control character");
        assert_eq!(refusal("/run/"), "path '/run/' names a directory, not a socket");
        assert_eq!(refusal("/"), "path '/' names a directory, not a socket");
        assert_eq!(
            refusal("/vhost.sock"),
            "path '/vhost.sock' is in the root directory, but a socket needs its own directory"
        );
        assert_eq!(refusal("/run/\u{fffe}"), r"path '/run/\u{fffe}' contains a control character");
        assert_eq!(refusal("/run/."), "path '/run/.' names a directory, not a socket");
        assert!(
            refusal(&format!("/{}", "x".repeat(4095)))
                .ends_with("has 4096 bytes, more than the 4095 of a symlink's target")
        );
    }

    #[test]
    fn a_socket_path_has_at_most_107_bytes() {
        let of = |length: usize| {
            SocketPath::try_from(ComputePath::file(&format!("/d/{}", "x".repeat(length - 3))).unwrap())
        };
        assert_eq!(of(107).unwrap().as_str().len(), 107);
        let refused = of(108).unwrap_err().to_string();
        assert!(refused.ends_with("has 108 bytes, more than the 107 of a unix socket"), "{refused}");
    }
}
