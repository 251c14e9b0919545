//! Files on the host that are not in a device's directory: only root may write where they are.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use rustix::fs::Mode;
use serde_json::Value;

use super::error::CniError;
use host_io::source_file;
use node::atomic_file;
use vocabulary::device_info::DeviceInfo;

/// What a DPDK application reads, beside its socket.
pub(super) const APPLICATION_FILE: &str = "vhostuser.json";

/// The whole file; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, CniError> {
    source_file::read(path).map_err(|error| failure(path, "cannot be read", error))
}

/// The names in a directory, in order; none if it does not exist.
pub(super) fn list(dir: &Path) -> Result<Vec<String>, CniError> {
    let names = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.and_then(|entries| {
            let name =
                |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
            entries.filter_map(|entry| name(entry).transpose()).collect::<io::Result<Vec<_>>>()
        }),
    };
    let mut names = names.map_err(|error| failure(dir, "cannot be listed", error))?;
    names.sort_unstable();
    Ok(names)
}

/// Writes the file whole or not at all, and makes its directory.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), CniError> {
    let write = || {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(io::ErrorKind::InvalidFilename.into());
        };
        fs::create_dir_all(dir)?;
        atomic_file::write(File::open(dir)?, name, bytes, Mode::from_raw_mode(0o644), None)
    };
    write().map_err(|error| failure(path, "cannot be written", error))
}

/// Removes the file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), CniError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failure(path, "cannot be removed", error))
        }
        _ => Ok(()),
    }
}

/// Removes device-info of ours, if it is there, and what a killed ADD has left of it. A configuration could name any other
/// file of the node.
pub(super) fn remove_device_info(path: &Path) -> Result<(), CniError> {
    if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
        remove(&path.with_file_name(atomic_file::temporary(name)))?;
    }
    let ours = |bytes: Vec<u8>| {
        serde_json::from_slice::<Value>(&bytes).is_ok_and(|info| DeviceInfo::of(&info).is_ok())
    };
    if read(path)?.is_some_and(ours) { remove(path) } else { Ok(()) }
}

fn failure(path: &Path, action: &'static str, error: io::Error) -> CniError {
    CniError::Io { path: path.to_owned(), action, error }
}
