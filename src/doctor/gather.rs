//! Reads the pod from one of its containers.

use std::path::Path;

use super::{
    args::PodArgs,
    snapshot::{Behind, Container, Link, Plugin, Sidecar, Snapshot},
};
use crate::config::{ContainerName, HookDirs, PluginSocket, SourceArgs};
use crate::downwardapi;
use host_io::look::{self, Kind};

/// KubeVirt mounts this volume into compute and into no sidecar (`virt-controller/services/rendervolumes.go`).
const COMPUTE_ONLY: &str = "/var/run/kubevirt-private";

pub(super) fn gather(args: &PodArgs) -> Snapshot {
    let hook_dir = args.hook_dirs.volume();
    let writable = look::behind(hook_dir)
        .filter(|found| found.kind == Kind::Directory)
        .map(|_| look::writable(hook_dir));
    let name = ContainerName::parse(&args.container_name);
    let container = match name.is_none() && is_compute(args) {
        true => Container::Compute(links_in_compute(&args.hook_dirs)),
        false => Container::Sidecar(sidecar(args, name.as_ref())),
    };
    Snapshot {
        hook_dir: hook_dir.to_owned(),
        writable,
        plugin: plugin(&args.hook_dirs.plugin_socket),
        container,
    }
}

fn plugin(socket: &PluginSocket) -> Plugin {
    let path = socket.path().to_owned();
    let is_socket = look::there(&path).is_some_and(|found| found.kind == Kind::Socket);
    match look::behind(socket.dir()) {
        None => Plugin::NotMounted,
        Some(_) if is_socket => Plugin::Served(path),
        Some(_) => Plugin::Missing(path),
    }
}

/// Compute sees one directory for each sidecar. In KubeVirt ≤ 1.5 a sidecar sees the same, so only the mount tells.
fn is_compute(args: &PodArgs) -> bool {
    let no_info = look::there(&args.sources.network_info).is_none();
    look::there(Path::new(COMPUTE_ONLY)).is_some()
        || no_info && !sidecars(&args.hook_dirs.hook_dir).is_empty()
}

fn sidecars(hook_dir: &Path) -> Vec<String> {
    let mut names = look::names(hook_dir).unwrap_or_default();
    names.retain(|name| ContainerName::parse(name).is_some());
    names
}

fn sidecar(args: &PodArgs, name: Option<&ContainerName>) -> Sidecar {
    let SourceArgs { network_info, dra_dir } = &args.sources;
    let layout = args.hook_dirs.layout(name);
    let links = Path::new(&layout.links.to_string()).to_owned();
    Sidecar {
        hooks: !args.hook_dirs.without_hooks,
        container_name: Some(args.container_name.clone()).filter(|name| !name.is_empty()),
        compute: layout.compute,
        network_info: network_info.clone(),
        info: downwardapi::read(network_info),
        claims: look::names(dra_dir).is_ok_and(|names| !names.is_empty()),
        made: made(&links),
        links,
    }
}

fn made(links: &Path) -> Option<Vec<(String, String)>> {
    let names = look::names(links).ok()?;
    Some(names.into_iter().filter_map(|name| look::link(&links.join(&name)).map(|to| (name, to))).collect())
}

/// Below each sidecar's directory, and below the plugin's.
fn links_in_compute(HookDirs { hook_dir, plugin_socket, .. }: &HookDirs) -> Vec<Link> {
    let of_sidecars = sidecars(hook_dir).into_iter().map(|name| hook_dir.join(name));
    let dirs = of_sidecars.chain([plugin_socket.dir().to_owned()]).map(|dir| dir.join("userdata"));
    dirs.flat_map(|dir| {
        let links = made(&dir).unwrap_or_default();
        links.into_iter().map(move |(name, target)| link(&dir, &name, target))
    })
    .collect()
}

fn link(dir: &Path, name: &str, target: String) -> Link {
    let path = dir.join(name);
    let behind = match look::behind(&path) {
        Some(found) if found.kind == Kind::Directory && look::writable(&path) => Behind::Directory,
        Some(found) if found.kind == Kind::Directory => Behind::ReadOnly,
        _ => Behind::Nothing,
    };
    Link { path, target, behind }
}
