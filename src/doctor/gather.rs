//! Looking at the pod from one of its containers.

use std::path::Path;

use super::{
    Places,
    snapshot::{Behind, Container, Link, Sidecar, Snapshot},
};
use crate::config::{ContainerName, Layout};
use crate::downwardapi;
use host_io::look::{self, Kind};

pub(super) fn gather(places: &Places) -> Snapshot {
    let hook_dir = &places.hook_dir;
    let writable = look::behind(hook_dir)
        .filter(|found| found.kind == Kind::Directory)
        .map(|_| look::writable(hook_dir));
    let container = match is_compute(places) {
        true => Container::Compute(links_in_compute(hook_dir)),
        false => Container::Sidecar(sidecar(places)),
    };
    Snapshot { hook_dir: hook_dir.clone(), writable, container }
}

/// Compute sees one directory for each sidecar, and has no network-info.
fn is_compute(places: &Places) -> bool {
    let named = places.container_name.as_deref().and_then(ContainerName::parse).is_some();
    !named && look::there(&places.network_info).is_none() && !sidecars(&places.hook_dir).is_empty()
}

fn sidecars(hook_dir: &Path) -> Vec<String> {
    let mut names = look::names(hook_dir).unwrap_or_default();
    names.retain(|name| ContainerName::parse(name).is_some());
    names
}

fn sidecar(places: &Places) -> Sidecar {
    let name = places.container_name.as_deref().and_then(ContainerName::parse);
    let layout = Layout::new(places.hook_dir.clone(), &places.compute_hook_dir, name.as_ref());
    let links = Path::new(&layout.links.to_string()).to_owned();
    Sidecar {
        container_name: places.container_name.clone().filter(|name| !name.is_empty()),
        compute: layout.compute,
        network_info: places.network_info.clone(),
        said: downwardapi::read(&places.network_info),
        claims: look::names(&places.dra_dir).is_ok_and(|names| !names.is_empty()),
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
