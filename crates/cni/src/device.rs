//! The device that the pod was given: what was written down of it, and whether that is certain.
//!
//! A pod with several NICs has several devices. Which of its sockets is this attachment's follows from the device's id
//! alone, which the kubelet allocated and Multus passes on; the path in the container must say the same.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::Value;

use super::{
    error::{CniError, DeviceInfoProblem as Problem},
    files,
    runtime::Runtime,
};
use node::socketdir::{DeviceLock, SocketDir};
use vocabulary::device_info::DeviceInfo;
use vocabulary::{DeviceId, HostDir, SOCKET_FILE, SocketMode};

/// What is known of the device: from the copy that Multus has staged, or else from the device plugin's own file. `mode`
/// is the one that the administrator expects.
///
/// # Errors
/// It is not certain.
pub fn info(plugin_dir: &Path, runtime: &Runtime, mode: Option<SocketMode>) -> Result<DeviceInfo, CniError> {
    let found = match staged(runtime)? {
        Some(found) => found,
        None => own(plugin_dir, runtime)?,
    };
    checked(found, runtime, mode)
}

/// What the device plugin has written down, by which a copy can be judged; the copy where it has taken its file away.
///
/// # Errors
/// It is not certain.
pub fn original(
    plugin_dir: &Path,
    runtime: &Runtime,
    mode: Option<SocketMode>,
) -> Result<DeviceInfo, CniError> {
    let found = match own(plugin_dir, runtime) {
        Err(missing @ CniError::DeviceInfo { problem: Problem::Missing(_), .. }) => {
            staged(runtime)?.ok_or(missing)?
        }
        found => found?,
    };
    checked(found, runtime, mode)
}

fn checked(
    (file, info): (PathBuf, DeviceInfo),
    runtime: &Runtime,
    mode: Option<SocketMode>,
) -> Result<DeviceInfo, CniError> {
    check(&info, &runtime.device, mode).map_err(|problem| failure(runtime, &file, problem))?;
    Ok(info)
}

/// The device's directory on the host. `group` is the one that the administrator expects.
///
/// # Errors
/// It is missing, or belongs to another group than the administrator wants.
pub fn directory(root: &HostDir, id: &DeviceId, group: Option<u32>) -> Result<SocketDir, CniError> {
    let failure = |problem| CniError::DeviceInfo { device: id.clone(), file: root.device(id), problem };
    let dir = SocketDir::open(root, id)?.ok_or_else(|| failure(Problem::NoDirectory))?;
    let is = dir.owner()?.gid;
    match group.filter(|should| *should != is) {
        Some(should) => Err(failure(Problem::OtherGroup { is, should })),
        None => Ok(dir),
    }
}

/// The same, held until the first value is dropped; waits for that until the deadline.
///
/// # Errors
/// It is missing, another call has it, or it belongs to another group.
pub fn held(
    root: &HostDir,
    id: &DeviceId,
    group: Option<u32>,
    deadline: Instant,
) -> Result<(DeviceLock, SocketDir), CniError> {
    let missing =
        || CniError::DeviceInfo { device: id.clone(), file: root.device(id), problem: Problem::NoDirectory };
    let lock = DeviceLock::take(root, id, deadline)?.ok_or_else(missing)?;
    Ok((lock, directory(root, id, group)?))
}

/// Whether device-info is where Multus looks for it; also if Multus has named no place.
pub fn is_complete(info: &DeviceInfo, info_file: Option<&Path>) -> Result<bool, CniError> {
    let Some(path) = info_file else { return Ok(true) };
    let said = files::read(path)?.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    Ok(said.is_some_and(|said| said == info.json()))
}

/// Writes device-info where Multus looks for it, unless it says the same already.
pub fn complete(info: &DeviceInfo, info_file: Option<&Path>) -> Result<(), CniError> {
    match info_file {
        Some(path) if !is_complete(info, info_file)? => {
            files::write(path, info.json().to_string().as_bytes())
        }
        _ => Ok(()),
    }
}

fn failure(runtime: &Runtime, file: &Path, problem: Problem) -> CniError {
    CniError::DeviceInfo { device: runtime.device.clone(), file: file.to_owned(), problem }
}

/// The copy that Multus has staged.
fn staged(runtime: &Runtime) -> Result<Option<(PathBuf, DeviceInfo)>, CniError> {
    let Some(file) = &runtime.info_file else { return Ok(None) };
    let Some(bytes) = files::read(file)? else { return Ok(None) };
    let info = parse(&bytes).map_err(|problem| failure(runtime, file, problem))?;
    Ok(Some((file.clone(), info)))
}

/// The device plugin's own file.
fn own(plugin_dir: &Path, runtime: &Runtime) -> Result<(PathBuf, DeviceInfo), CniError> {
    let id = &runtime.device;
    let ending = format!("-{id}-device.json");
    let mut found = Vec::new();
    for name in files::list(plugin_dir)?.into_iter().filter(|name| name.ends_with(&ending)) {
        let file = plugin_dir.join(name);
        if let Some(bytes) = files::read(&file)? {
            found.push((file, parse(&bytes)));
        }
    }
    choose(found, id)
        .map_err(|(file, problem)| failure(runtime, file.as_deref().unwrap_or(plugin_dir), problem))
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
