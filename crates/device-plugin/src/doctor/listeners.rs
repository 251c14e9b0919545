//! Who listens on which unix socket, in all network namespaces of the node.
//!
//! The kernel lists the sockets of one network namespace, by the path that was given to `bind`. QEMU's is in its own
//! mount namespace and leads through a link, so it is followed there, and what is compared is the file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::snapshot::Listening;
use host_io::look::{self, Attributes, Identity};

/// The first PID namespace of every kernel (`PROC_PID_INIT_INO`): whoever is in it sees every process.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Flag of a socket that listens (`__SO_ACCEPTCON`).
const LISTENS: &str = "00010000";

/// The listening sockets that can be seen from here.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    files: BTreeSet<Identity>,
    paths: BTreeSet<PathBuf>,
    sees_all: bool,
}

impl Listeners {
    /// Those whose paths end in one of these file names.
    pub(super) fn gather(proc: &Path, sees_kubelet: bool, names: &BTreeSet<String>) -> Self {
        let mut found = Self {
            sees_all: sees_kubelet
                || look::link(&proc.join("self/ns/pid")).as_deref() == Some(FIRST_PID_NAMESPACE),
            ..Self::default()
        };
        for processes in by_network_namespace(proc).values() {
            let paths = processes.iter().find_map(|process| listening(process, names)).unwrap_or_default();
            for path in paths {
                let files = processes.iter().filter_map(|process| look::within(&process.join("root"), &path));
                found.files.extend(files);
                found.paths.insert(look::leads_to(Path::new(&path)));
            }
        }
        found
    }

    /// Whether somebody listens on the file.
    pub(super) fn on_file(&self, file: Option<Attributes>) -> Listening {
        self.tell(file.is_some_and(|file| self.files.contains(&file.identity)))
    }

    /// Whether somebody listens on what was bound to this path, even if it has been moved since.
    pub(super) fn on_path(&self, path: &Path) -> Listening {
        self.tell(self.paths.contains(&look::leads_to(path)))
    }

    fn tell(&self, yes: bool) -> Listening {
        match yes {
            true => Listening::Yes,
            false if self.sees_all => Listening::No,
            false => Listening::Unseen,
        }
    }
}

/// One process for each mount namespace of each network namespace.
fn by_network_namespace(proc: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut namespaces: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    let names = look::names(proc).unwrap_or_default();
    for pid in names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let process = proc.join(pid);
        let namespace = |kind: &str| look::link(&process.join("ns").join(kind));
        if let (Some(net), Some(mnt)) = (namespace("net"), namespace("mnt")) {
            namespaces.entry(net).or_default().entry(mnt).or_insert(process);
        }
    }
    namespaces.into_iter().map(|(net, processes)| (net, processes.into_values().collect())).collect()
}

/// Nothing if the process has gone meanwhile.
fn listening(process: &Path, names: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let table = look::kernel_text(&process.join("net/unix")).ok()?;
    let wanted = |path: &&str| path.rsplit('/').next().is_some_and(|name| names.contains(name));
    Some(table.lines().filter_map(path_of_listener).filter(wanted).map(str::to_owned).collect())
}

/// `Num RefCount Protocol Flags Type St Inode Path` (`unix(7)`); a path may have spaces.
fn path_of_listener(line: &str) -> Option<&str> {
    let mut rest = line;
    for column in 0..7 {
        let (field, behind) = rest.split_once(' ')?;
        if column == 3 && field != LISTENS {
            return None;
        }
        rest = behind.trim_start_matches(' ');
    }
    rest.starts_with('/').then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// On this machine: what this process listens on is found by its file, whatever the path.
    #[test]
    fn finds_a_listener_of_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("a.sock"), dir.path().join("b.sock"));
        let names = BTreeSet::from(["a.sock".to_owned()]);
        let listener = UnixListener::bind(&path).unwrap();
        let file = look::there(&path);
        let found = Listeners::gather(Path::new("/proc"), false, &names);
        assert_eq!((found.on_file(file), found.on_path(&path)), (Listening::Yes, Listening::Yes));
        std::fs::rename(&path, &moved).unwrap();
        let found = Listeners::gather(Path::new("/proc"), false, &names);
        assert_eq!(found.on_path(&path), Listening::Yes);
        drop(listener);
        let found = Listeners::gather(Path::new("/proc"), false, &names);
        assert_ne!(found.on_path(&path), Listening::Yes);
        assert_ne!(found.on_file(look::there(&moved)), Listening::Yes);
    }

    #[test]
    fn reads_the_kernels_table() {
        let line = |flags, path| format!("ffff9c: 00000002 00000000 {flags} 0001 01   25 {path}");
        assert_eq!(path_of_listener(&line("00010000", "/a b/vhost.sock")), Some("/a b/vhost.sock"));
        assert_eq!(path_of_listener(&line("00000000", "/a/vhost.sock")), None);
        assert_eq!(path_of_listener(&line("00010000", "@abstract")), None);
        assert_eq!(path_of_listener("ffff9c: 00000002 00000000 00010000 0001 01   25"), None);
        assert_eq!(path_of_listener("Num       RefCount Protocol Flags    Type St Inode Path"), None);
    }
}
