use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{ComputePath, DeviceId, POD_DIR, PathError, SOCKET_FILE, SocketPath};

/// An absolute directory on the node, in this process's own mount namespace: the counterpart of [`ComputePath`].
/// Held without empty and `.` components; never with `..` or control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostDir(PathBuf);

impl HostDir {
    /// The socket directory of a device below this socket root: the part that its pod sees.
    pub fn device(&self, id: &DeviceId) -> PathBuf {
        self.0.join(id.as_str()).join(POD_DIR)
    }

    /// The socket of a device below this socket root, as the switch must know it.
    ///
    /// # Errors
    /// The path has more than 107 bytes: OVS would truncate it silently.
    pub fn socket(&self, id: &DeviceId) -> Result<SocketPath, PathError> {
        let directory = ComputePath::directory(&self.to_string())?;
        SocketPath::try_from(directory.join(id.as_str()).join(POD_DIR).join(SOCKET_FILE))
    }
}

impl FromStr for HostDir {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        ComputePath::directory(text).map(|path| Self(PathBuf::from(path.as_str())))
    }
}

impl AsRef<Path> for HostDir {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for HostDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_directories_and_sockets_of_devices() {
        let root: HostDir = "/var/run//vhostuser/".parse().unwrap();
        let id: DeviceId = "sockets-0".parse().unwrap();
        assert_eq!(root.device(&id), Path::new("/var/run/vhostuser/sockets-0/pod"));
        assert_eq!(root.socket(&id).unwrap().as_str(), "/var/run/vhostuser/sockets-0/pod/vhost.sock");
        let deep: HostDir = format!("/{}", "d".repeat(82)).parse().unwrap();
        assert_eq!(
            deep.socket(&id).unwrap_err().to_string(),
            format!(
                "path '{deep}/sockets-0/pod/vhost.sock' has 108 bytes, more than the 107 of a unix socket"
            )
        );
        assert_eq!("run".parse::<HostDir>().unwrap_err().to_string(), "path 'run' is not absolute");
    }
}
