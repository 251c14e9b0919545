//! The device that the pod was given: what was written down of it, and whether that is certain.
//!
//! A pod with several NICs has several devices. Which of its sockets is this attachment's follows from the device's id
//! alone, which the kubelet allocated and Multus passes on; the path in the container must say the same.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{
    config::{Network, Nic},
    error::{CniError, DeviceInfoProblem as Problem},
    files,
    runtime::Runtime,
};
use crate::{
    deviceinfo::DeviceInfo,
    socketdir::SocketDir,
    vhostuser::{DeviceId, SOCKET_FILE, SocketMode, SocketPath},
};

/// A device that can be attached.
#[derive(Debug)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What the pod's side is told.
    pub info: DeviceInfo,
    /// Its socket on the host.
    pub socket: SocketPath,
    /// Its directory on the host.
    pub dir: SocketDir,
}

impl Device {
    /// Finds the device, and refuses what is not certain. Nothing is changed.
    pub fn find(
        plugin_dir: &Path,
        network: &Network,
        nic: &Nic,
        runtime: &Runtime,
    ) -> Result<Self, CniError> {
        let id = &runtime.device;
        let failure = |file: &Path, problem| CniError::DeviceInfo {
            device: id.clone(),
            file: file.to_owned(),
            problem,
        };
        let (file, info) = written(plugin_dir, runtime)?;
        check(&info, id, nic.mode).map_err(|problem| failure(&file, problem))?;
        let host = network.root.device(id);
        let socket = network.root.socket(id).map_err(|error| failure(&host, Problem::TooLong(error)))?;
        let dir = SocketDir::open(&network.root, id)?;
        let dir = dir.ok_or_else(|| failure(&host, Problem::NoDirectory))?;
        if let Some(should) = nic.group {
            let is = dir.owner()?.gid;
            if is != should {
                return Err(failure(&host, Problem::OtherGroup { is, should }));
            }
        }
        Ok(Self { id: id.clone(), info, socket, dir })
    }

    /// Writes device-info where Multus looks for it, unless it says the same already; whether the file is new.
    pub fn complete(&self, info_file: Option<&Path>) -> Result<bool, CniError> {
        let Some(path) = info_file else { return Ok(false) };
        let existing = files::read(path)?;
        let said = existing.as_deref().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let json = self.info.json();
        if said.as_ref() == Some(&json) {
            return Ok(false);
        }
        files::write(path, json.to_string().as_bytes())?;
        Ok(existing.is_none())
    }
}

/// The copy that Multus has staged, or else the device plugin's own file.
fn written(plugin_dir: &Path, runtime: &Runtime) -> Result<(PathBuf, DeviceInfo), CniError> {
    let id = &runtime.device;
    let failure =
        |file: &Path, problem| CniError::DeviceInfo { device: id.clone(), file: file.to_owned(), problem };
    if let Some(file) = &runtime.info_file
        && let Some(bytes) = files::read(file)?
    {
        let info = parse(&bytes).map_err(|problem| failure(file, problem))?;
        return Ok((file.clone(), info));
    }
    let ending = format!("-{id}-device.json");
    let mut found = Vec::new();
    for name in files::list(plugin_dir)?.into_iter().filter(|name| name.ends_with(&ending)) {
        let file = plugin_dir.join(name);
        if let Some(bytes) = files::read(&file)? {
            found.push((file, parse(&bytes)));
        }
    }
    choose(found, id).map_err(|(file, problem)| failure(file.as_deref().unwrap_or(plugin_dir), problem))
}

type Found = (PathBuf, Result<DeviceInfo, Problem>);

/// The one file that is about this device: `*-<id>-device.json` may also be about a longer id, or another plugin's.
fn choose(found: Vec<Found>, id: &DeviceId) -> Result<(PathBuf, DeviceInfo), (Option<PathBuf>, Problem)> {
    let (mut fitting, mut others) = (Vec::new(), Vec::new());
    for (file, info) in found {
        match info.and_then(|info| belongs(&info, id).map(|()| info)) {
            Ok(info) => fitting.push((file, info)),
            Err(problem) => others.push((file, problem)),
        }
    }
    if fitting.len() > 1 {
        let files: Vec<_> = fitting.iter().map(|(file, _)| file.display().to_string()).collect();
        return Err((None, Problem::Ambiguous(files.join(" and "))));
    }
    match (fitting.pop(), others.into_iter().next()) {
        (Some(one), _) => Ok(one),
        (None, Some((file, problem))) => Err((Some(file), problem)),
        (None, None) => Err((None, Problem::Missing(id.clone()))),
    }
}

fn parse(bytes: &[u8]) -> Result<DeviceInfo, Problem> {
    let json: Value = serde_json::from_slice(bytes).map_err(|error| Problem::NotJson(error.to_string()))?;
    DeviceInfo::of(&json).map_err(Problem::Refused)
}

fn check(info: &DeviceInfo, id: &DeviceId, mode: Option<SocketMode>) -> Result<(), Problem> {
    belongs(info, id)?;
    match mode {
        Some(nad) if nad != info.mode => Err(Problem::OtherMode { device: info.mode, nad }),
        _ => Ok(()),
    }
}

fn belongs(info: &DeviceInfo, id: &DeviceId) -> Result<(), Problem> {
    if info.path.file_name() == SOCKET_FILE && info.path.parent().file_name() == id.as_str() {
        return Ok(());
    }
    Err(Problem::OtherDevice { path: info.path.to_string(), device: id.clone() })
}

#[cfg(test)]
mod tests;
