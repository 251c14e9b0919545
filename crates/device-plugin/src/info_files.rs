//! The device-info files, by which Multus and the CNI plugin learn where a device's socket is.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, unlinkat},
    io::Errno,
};
use serde_json::Value;

use host_io::source_file;
use node::atomic_file;
use node::socketdir::open_trusted;
use vocabulary::device_info::{self, DeviceInfo};
use vocabulary::{ComputePath, DeviceId, SOCKET_FILE};

/// A device-info file that cannot be written or removed.
#[derive(Debug, thiserror::Error)]
#[error("device-info {}: {action}: {error}", path.display())]
pub(crate) struct InfoFileError {
    path: PathBuf,
    action: &'static str,
    error: io::Error,
}

/// The directory of the files.
#[derive(Debug)]
pub(crate) struct InfoFiles {
    dir: OwnedFd,
    path: PathBuf,
    /// The beginning of the names of all files of ours.
    prefix: String,
    /// Where their sockets are.
    root: ComputePath,
}

impl InfoFiles {
    /// Opens the directory, making it if there is none.
    pub(crate) fn open(path: PathBuf, domain: &str, root: ComputePath) -> Result<Self, InfoFileError> {
        let failed = |action, error| InfoFileError { path: path.clone(), action, error };
        fs::create_dir_all(&path).map_err(|error| failed("the directory cannot be made", error))?;
        let dir =
            open_trusted(&path).map_err(|error| failed("the directory cannot be opened", error.into()))?;
        Ok(Self { dir, path, prefix: format!("{domain}-"), root })
    }

    /// Writes a device's file, unless it is right already. Returns true if it was written.
    pub(crate) fn write(
        &self,
        resource: &str,
        id: &DeviceId,
        info: &DeviceInfo,
    ) -> Result<bool, InfoFileError> {
        let name = device_info::file_name(resource, id);
        let bytes = info.json().to_string().into_bytes();
        if source_file::read(&self.path.join(&name)).is_ok_and(|found| found.as_ref() == Some(&bytes)) {
            return Ok(false);
        }
        let written = atomic_file::write(&self.dir, &name, &bytes, Mode::from_raw_mode(0o644), None);
        written.map(|()| true).map_err(|error| self.failure(&name, "cannot be written", error))
    }

    /// Removes a device's file, if there is one.
    pub(crate) fn remove(&self, resource: &str, id: &DeviceId) -> Result<(), InfoFileError> {
        self.unlink(&device_info::file_name(resource, id))
    }

    /// Removes what an earlier configuration or a killed process of ours has left: files of our domain whose content
    /// is ours, and temporary ones. `wanted` are the names of those that stay. How many were removed.
    pub(crate) fn sweep(&self, wanted: &BTreeSet<String>) -> Result<usize, InfoFileError> {
        let listed = fs::read_dir(&self.path).map_err(|error| self.failure("", "cannot be listed", error))?;
        let names = listed.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let stale =
            names.filter(|name| name.starts_with(atomic_file::TEMPORARY) || self.is_stale(name, wanted));
        let mut removed = 0;
        for name in stale {
            self.unlink(&name)?;
            removed += 1;
        }
        Ok(removed)
    }

    fn is_stale(&self, name: &str, wanted: &BTreeSet<String>) -> bool {
        let ours = name.starts_with(&self.prefix) && name.ends_with("-device.json") && !wanted.contains(name);
        ours && self.describes_ours(name)
    }

    /// Whether it names a socket of our root.
    fn describes_ours(&self, name: &str) -> bool {
        let Ok(Some(bytes)) = source_file::read(&self.path.join(name)) else { return false };
        let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { return false };
        DeviceInfo::of(&value).is_ok_and(|info| {
            info.path.file_name() == SOCKET_FILE && info.path.parent().parent() == self.root
        })
    }

    fn unlink(&self, name: &str) -> Result<(), InfoFileError> {
        match unlinkat(&self.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.failure(name, "cannot be removed", error.into())),
        }
    }

    fn failure(&self, name: &str, action: &'static str, error: io::Error) -> InfoFileError {
        InfoFileError { path: self.path.join(name), action, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::SocketMode;

    fn root() -> ComputePath {
        ComputePath::directory("/var/run/vhostuser").unwrap()
    }

    fn info(id: &DeviceId) -> DeviceInfo {
        DeviceInfo { mode: SocketMode::Server, path: root().join(id.as_str()).join(SOCKET_FILE) }
    }

    fn names(path: &std::path::Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn writes_removes_and_sweeps_its_own_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("devinfo/dp");
        let files = InfoFiles::open(path.clone(), "vhostuser.network", root()).unwrap();
        let ids: Vec<DeviceId> = ["sockets-0", "sockets-1"].iter().map(|id| id.parse().unwrap()).collect();
        for id in &ids {
            assert!(files.write("vhostuser.network/sockets", id, &info(id)).unwrap());
            assert!(!files.write("vhostuser.network/sockets", id, &info(id)).unwrap(), "it is right already");
        }
        let name = "vhostuser.network-sockets-sockets-0-device.json";
        assert_eq!(
            fs::read_to_string(path.join(name)).unwrap(),
            r#"{"type":"vhost-user","version":"1.1.0","vhost-user":{"mode":"server","path":"/var/run/vhostuser/sockets-0/vhost.sock"}}"#
        );
        let others = [
            // Another plugin's, one of our name that says something else, and one that is no JSON.
            ("other.network-sockets-sockets-0-device.json", info(&ids[0]).json().to_string()),
            (
                "vhostuser.network-x-0-device.json",
                r#"{"type":"pci","pci":{"pci-address":"0000:00:01.0"}}"#.to_owned(),
            ),
            ("vhostuser.network-y-0-device.json", "{".to_owned()),
        ];
        for (name, content) in &others {
            fs::write(path.join(name), content).unwrap();
        }
        fs::write(path.join(".vhostuser-0badcafe"), "half").unwrap();
        let wanted = BTreeSet::from([name.to_owned()]);
        assert_eq!(files.sweep(&wanted).unwrap(), 2);
        assert_eq!(
            names(&path),
            [
                "other.network-sockets-sockets-0-device.json",
                name,
                "vhostuser.network-x-0-device.json",
                "vhostuser.network-y-0-device.json"
            ]
        );
        files.remove("vhostuser.network/sockets", &ids[0]).unwrap();
        files.remove("vhostuser.network/sockets", &ids[0]).unwrap();
        assert_eq!(names(&path).len(), 3);
    }
}
