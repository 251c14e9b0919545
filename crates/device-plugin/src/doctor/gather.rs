//! Looking at everything on a node.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    listeners::Listeners,
    scope::{ConfiguredDevice, Scope},
    snapshot::{Hugepages, InspectedDevice, Root, Snapshot, SwitchSocket},
    sources::{NodeError, Sources},
    switch,
};
use crate::kubelet;
use host_io::look::{self, Attributes};
use host_io::source_file;
use vocabulary::device_info::{self, DeviceInfo};
use vocabulary::{DeviceId, HostDir, POD_DIR, SOCKET_FILE, SocketMode};

/// One look at everything.
pub(super) fn gather(mut scope: Scope, sources: &Sources) -> Result<Snapshot, NodeError> {
    let files = InfoFiles::list(&sources.device_info)?;
    if scope.domain.is_none() {
        scope.devices = files.devices(&scope);
    }
    let mut names: BTreeSet<String> = scope.devices.iter().map(|device| device.id.port_name()).collect();
    names.insert(SOCKET_FILE.to_owned());
    let domain = scope.domain.clone().unwrap_or_default();
    let kubelet = kubelet::ask(&sources.pod_resources, &domain, sources.answer);
    // Pods' processes are in the kubelet's PID namespace or below: if it can be seen, they can.
    let listeners = Listeners::gather(&sources.proc, kubelet.process.is_some(), &names);
    // Without a configuration the resources' names are not known. A kubelet that has just started lists no pods yet.
    let listing = kubelet.listing.filter(|listing| scope.domain.is_some() && !listing.pods.is_empty());
    let in_use = |device: &ConfiguredDevice| {
        let device = (device.resource.clone(), device.id.to_string());
        listing.as_ref().map(|listing| listing.devices.contains(&device))
    };
    let devices = scope.devices.iter().map(|device| InspectedDevice {
        in_use: in_use(device),
        ..look_at_device(device, &scope, &files, &listeners)
    });
    let ovsdbs: BTreeSet<&HostDir> = scope.switches.iter().map(|switch| &switch.ovsdb).collect();
    Ok(Snapshot {
        hugepages: hugepages(&sources.sys),
        root: root(&scope, &sources.proc)?,
        devices: devices.collect(),
        orphans: files.orphans(&scope),
        switches: ovsdbs
            .iter()
            .map(|&ovsdb| (ovsdb.clone(), switch::gather(ovsdb, sources.answer)))
            .collect(),
        scope,
    })
}

/// `None` if there is nothing; permission denied is an error.
fn look_at(path: &Path) -> Result<Option<Attributes>, NodeError> {
    match look::at(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(NodeError { path: path.to_owned(), error }),
    }
}

/// `hugepages-2048kB` and so on; none where the kernel has none.
fn hugepages(sys: &Path) -> Vec<Hugepages> {
    let dir = sys.join("kernel/mm/hugepages");
    let pool = |name: &String| {
        let kib = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let number = |file: &str| -> Option<u64> {
            look::kernel_text(&dir.join(name).join(file)).ok()?.trim().parse().ok()
        };
        Some(Hugepages { kib, total: number("nr_hugepages")?, free: number("free_hugepages")? })
    };
    let mut pools: Vec<_> = look::names(&dir).unwrap_or_default().iter().filter_map(pool).collect();
    pools.sort_unstable_by_key(|pool| pool.kib);
    pools
}

fn root(scope: &Scope, proc: &Path) -> Result<Root, NodeError> {
    let path = look::real(scope.sockets.host_root.as_ref());
    let table = proc.join("self/mountinfo");
    let mounts = look::kernel_text(&table).map_err(|error| NodeError { path: table, error })?;
    Ok(Root { found: look_at(&path)?, mount: mount_options(&mounts, &path) })
}

/// The options of the uppermost mount that begins at a path (`proc(5)`, mountinfo). A path with a space in it is
/// written otherwise there, and not found.
fn mount_options(mountinfo: &str, path: &Path) -> Option<Vec<String>> {
    let at = |line: &str| {
        let mut fields = line.split(' ').skip(4);
        (Path::new(fields.next()?) == path).then(|| fields.next()).flatten().map(str::to_owned)
    };
    let options = mountinfo.lines().rev().find_map(at)?;
    Some(options.split(',').map(str::to_owned).collect())
}

fn look_at_device(
    device: &ConfiguredDevice,
    scope: &Scope,
    files: &InfoFiles,
    listeners: &Listeners,
) -> InspectedDevice {
    let directory = look::real(scope.sockets.host_root.as_ref()).join(device.id.as_str()).join(POD_DIR);
    let path = directory.join(SOCKET_FILE);
    let socket = look::there(&path).filter(|found| found.kind == look::Kind::Socket);
    let made = match device.mode {
        SocketMode::Server => None,
        SocketMode::Client => switch_path(device, scope),
    };
    let listening = match &made {
        None => listeners.on_file(socket),
        // The switch has bound it there, and the device plugin has moved it.
        Some(path) => listeners.on_path(path),
    };
    let switch_socket = made.filter(|path| look::there(path).is_some()).map(|path| {
        let listening = listeners.on_path(&path);
        SwitchSocket { path, listening }
    });
    let info = files.path(device);
    InspectedDevice {
        scope: device.clone(),
        path,
        directory: look::there(&directory),
        socket: socket.is_some(),
        listening,
        in_use: None,
        switch_socket,
        said: files.said.get(&info).cloned(),
        info,
    }
}

fn switch_path(device: &ConfiguredDevice, scope: &Scope) -> Option<PathBuf> {
    let dir: &Path = scope.switches.get(device.switch)?.sockets.as_ref()?.as_ref();
    Some(dir.join(device.id.port_name()))
}

/// The device plugins' files.
struct InfoFiles {
    dir: PathBuf,
    said: BTreeMap<PathBuf, Result<Value, String>>,
}

impl InfoFiles {
    fn list(dir: &Path) -> Result<Self, NodeError> {
        let names = match look::names(dir) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(NodeError { path: dir.to_owned(), error }),
        };
        let files = names.iter().filter(|name| name.ends_with("-device.json")).map(|name| dir.join(name));
        let said = files.map(|path| (path.clone(), read(&path))).collect();
        Ok(Self { dir: dir.to_owned(), said })
    }

    fn path(&self, device: &ConfiguredDevice) -> PathBuf {
        self.dir.join(device_info::file_name(&device.resource, &device.id))
    }

    /// Files of our domain, about sockets of our root, for no device.
    fn orphans(&self, scope: &Scope) -> Vec<PathBuf> {
        let Some(domain) = &scope.domain else { return Vec::new() };
        let wanted: BTreeSet<PathBuf> = scope.devices.iter().map(|device| self.path(device)).collect();
        let beginning = self.dir.join(format!("{domain}-")).into_os_string();
        let ours = |path: &&PathBuf| {
            path.as_os_str().as_encoded_bytes().starts_with(beginning.as_encoded_bytes())
                && self.device_of(path, scope).is_some()
        };
        self.said.keys().filter(|path| !wanted.contains(*path)).filter(ours).cloned().collect()
    }

    /// Without a configuration: every device that a file describes, if its directory is in our root.
    fn devices(&self, scope: &Scope) -> Vec<ConfiguredDevice> {
        let device = |path: &PathBuf| {
            let (id, info) = self.device_of(path, scope)?;
            look::there(&scope.sockets.host_root.device(&id))?;
            // The file's name has the resource's with its slash lost; any text with the same file name will do.
            let name = path.file_name()?.to_str()?;
            let resource = name.strip_suffix(&format!("-{id}-device.json"))?.to_owned();
            Some(ConfiguredDevice { id, resource, mode: info.mode, switch: 0 })
        };
        self.said.keys().filter_map(device).collect()
    }

    fn device_of(&self, path: &Path, scope: &Scope) -> Option<(DeviceId, DeviceInfo)> {
        let info = DeviceInfo::of(self.said.get(path)?.as_ref().ok()?).ok()?;
        let directory = info.path.parent();
        let ours = info.path.file_name() == SOCKET_FILE && directory.parent() == scope.sockets.container_root;
        ours.then(|| directory.file_name().parse().ok()).flatten().map(|id| (id, info))
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let bytes = source_file::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    serde_json::from_slice(&bytes.unwrap_or_default()).map_err(|error| format!("not valid JSON: {error}"))
}
