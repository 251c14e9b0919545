use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use vocabulary::{ComputePath, PathError, Quoted, SocketPath};

/// OVSDB's socket: an absolute path that a socket can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsdbSocket(PathBuf);

impl FromStr for OvsdbSocket {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let path = SocketPath::try_from(ComputePath::file(text)?)?;
        Ok(Self(PathBuf::from(path.as_str())))
    }
}

impl AsRef<Path> for OvsdbSocket {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl OvsdbSocket {
    /// OVS's run directory, where ovs-vswitchd has its control socket too.
    pub fn run_dir(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new("/"))
    }
}

/// The name of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeName(String);

impl BridgeName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BridgeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
        match !text.is_empty() && text.chars().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("{} is no bridge's name", Quoted(text))),
        }
    }
}
