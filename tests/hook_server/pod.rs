//! A pod's directories, and how its sidecars are started.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::sidecar::{Sidecar, own_network};
use launcher_sim::Layout;

/// The binary under test.
const BINARY: &str = env!("CARGO_BIN_EXE_network-vhostuser-binding");

/// The user KubeVirt runs a sidecar as.
pub const USER: u32 = 107;

/// A hook volume, network-info and the DRA folder, all below one temporary directory.
pub struct Pod {
    root: TempDir,
    layout: Layout,
    started: AtomicUsize,
}

impl Pod {
    /// KubeVirt ≥ 1.6: each sidecar has its own part of the volume.
    pub fn new() -> Self {
        Self::of(Layout::PerSidecar)
    }

    /// KubeVirt ≤ 1.5: all sidecars share the volume.
    pub fn flat() -> Self {
        Self::of(Layout::Flat)
    }

    pub fn of(layout: Layout) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for dir in ["hooks", "podinfo", "dra"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        Self { root, layout, started: AtomicUsize::new(0) }
    }

    /// A pod whose network-info is there.
    pub fn with_network_info(layout: Layout) -> Self {
        let pod = Self::of(layout);
        pod.write_network_info(crate::NETWORK_INFO);
        pod
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The volume, as virt-launcher and QEMU see it.
    pub fn volume(&self) -> PathBuf {
        self.root.path().join("hooks")
    }

    /// The first sidecar's socket; in the flat layout it is named at random.
    pub fn socket(&self) -> PathBuf {
        self.volume().join("hook-sidecar-0/vhostuser-hook-sidecar-0.sock")
    }

    /// The part of it that sidecar `number` sees, made as kubelet does.
    pub fn hook_dir(&self, number: usize) -> PathBuf {
        let dir = match self.layout {
            Layout::Flat => self.volume(),
            Layout::PerSidecar => self.volume().join(format!("hook-sidecar-{number}")),
        };
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Where the first sidecar's links are: the same place of the volume in both layouts.
    pub fn links(&self) -> PathBuf {
        self.volume().join("hook-sidecar-0/userdata")
    }

    pub fn network_info(&self) -> PathBuf {
        self.root.path().join("podinfo/network-info")
    }

    pub fn write_network_info(&self, content: &str) {
        fs::write(self.network_info(), content).unwrap();
    }

    pub fn dra(&self) -> PathBuf {
        self.root.path().join("dra")
    }

    /// Every path of the hook volume, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(&self.volume(), &self.volume(), &mut found);
        found.sort();
        found
    }

    /// The first sidecar, not started yet.
    pub fn sidecar(&self) -> Launch<'_> {
        Launch { pod: self, number: 0, flags: Vec::new(), user: None, hook_dir: self.hook_dir(0) }
    }
}

fn list(root: &Path, dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        found.push(entry.path().strip_prefix(root).unwrap().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            list(root, &entry.path(), found);
        }
    }
}

/// A sidecar to be.
pub struct Launch<'p> {
    pod: &'p Pod,
    number: usize,
    flags: Vec<OsString>,
    user: Option<u32>,
    hook_dir: PathBuf,
}

impl Launch<'_> {
    /// Which of the pod's sidecars this is.
    pub fn number(self, number: usize) -> Self {
        Self { number, hook_dir: self.pod.hook_dir(number), ..self }
    }

    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.into());
        self
    }

    pub fn hook_dir(self, hook_dir: PathBuf) -> Self {
        Self { hook_dir, ..self }
    }

    /// Runs as KubeVirt's user, who owns the hook directory. Only root can do so; others stay who they are.
    pub fn with_kubevirts_user(mut self) -> Self {
        if is_root() {
            chown(&self.hook_dir, Some(USER), Some(USER)).unwrap();
            self.user = Some(USER);
        }
        self
    }

    /// Starts it, whatever comes of it.
    pub fn spawn(self) -> Sidecar {
        let (command, log) = self.command();
        Sidecar::spawn(command, log)
    }

    /// Starts it with a standard error that nobody reads any more.
    pub fn spawn_unheard(self) -> Sidecar {
        let (command, log) = self.command();
        Sidecar::spawn_unheard(command, log)
    }

    /// Starts it with a standard error that nobody reads yet, and which is full.
    pub fn spawn_unread(self) -> (Sidecar, File) {
        let (command, log) = self.command();
        Sidecar::spawn_unread(command, log)
    }

    fn command(self) -> (Command, PathBuf) {
        let count = self.pod.started.fetch_add(1, Ordering::Relaxed);
        let log = self.pod.root.path().join(format!("stderr-{count}"));
        let mut command = match self.user {
            // A user other than root may not make a network namespace.
            Some(user) => {
                let mut command = Command::new(BINARY);
                command.uid(user).gid(user);
                command
            }
            None => own_network(BINARY),
        };
        command.env_clear();
        if self.pod.layout == Layout::PerSidecar {
            command.env("CONTAINER_NAME", format!("hook-sidecar-{}", self.number));
        }
        command.arg("--hook-dir").arg(&self.hook_dir);
        command.arg("--network-info").arg(self.pod.network_info());
        command.arg("--dra-dir").arg(self.pod.dra());
        command.args(&self.flags);
        (command, log)
    }

    /// Starts it and waits until it serves.
    pub async fn start(self) -> Sidecar {
        let mut sidecar = self.spawn();
        sidecar.serving().await;
        sidecar
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who a sidecar started by [`Launch::with_kubevirts_user`] is.
pub fn kubevirts_user() -> u32 {
    if is_root() { USER } else { rustix::process::geteuid().as_raw() }
}
