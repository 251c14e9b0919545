//! Reads the pod from one of its containers.

use std::path::Path;

use super::{
    args::PodArgs,
    snapshot::{Behind, Container, Link, Plugin, Sidecar, Snapshot},
};
use crate::config::{ContainerName, PluginSocket, SourceArgs};
use crate::downwardapi;
use host_io::look::{self, Kind};

pub(super) fn gather(args: &PodArgs) -> Snapshot {
    let hook_dir = args.hook_dirs.volume();
    let writable = look::behind(hook_dir)
        .filter(|found| found.kind == Kind::Directory)
        .map(|_| look::writable(hook_dir));
    let name = ContainerName::parse(&args.container_name);
    let container = match name.is_none() && is_compute(args) {
        true => Container::Compute(links_in_compute(hook_dir)),
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
    match (look::behind(socket.dir()), look::there(&path)) {
        (None, _) => Plugin::NotMounted,
        (Some(_), None) => Plugin::Missing(path),
        (Some(_), Some(_)) => Plugin::Served(path),
    }
}

/// Compute sees one directory for each sidecar, and has no network-info.
fn is_compute(args: &PodArgs) -> bool {
    look::there(&args.sources.network_info).is_none() && !sidecars(&args.hook_dirs.hook_dir).is_empty()
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

fn links_in_compute(hook_dir: &Path) -> Vec<Link> {
    let dirs = sidecars(hook_dir).into_iter().map(|name| hook_dir.join(name).join("userdata"));
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
