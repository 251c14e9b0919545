//! The sidecar as a process: the binary that is measured, in a directory of its own.
#![allow(dead_code, unreachable_pub)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::inputs;
use launcher_sim::Client;

/// The binary that is measured: `SIDECAR` of the environment, else Cargo's optimized build.
pub fn binary() -> PathBuf {
    env::var_os("SIDECAR")
        .map_or_else(|| env!("CARGO_BIN_EXE_network-vhostuser-binding").into(), PathBuf::from)
}

/// A pod's directories.
pub struct Pod(TempDir);

impl Pod {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("network-info"), inputs::NETWORK_INFO).unwrap();
        Self(dir)
    }

    pub fn socket(&self) -> PathBuf {
        self.0.path().join("vhostuser-hook-sidecar-0.sock")
    }

    pub fn client(&self) -> Client {
        Client::new(self.socket())
    }

    /// `program` with the arguments of a sidecar of this pod.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().arg("--hook-dir").arg(self.0.path());
        command.arg("--container-name").arg("hook-sidecar-0");
        command.arg("--network-info").arg(self.0.path().join("network-info"));
        command.arg("--dra-dir").arg(self.0.path());
        command
    }
}
