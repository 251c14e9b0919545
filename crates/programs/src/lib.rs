//! Where tests that belong to no single crate find the repository and its programs.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository is there")
}

/// The sidecar.
pub fn sidecar() -> PathBuf {
    built("network-vhostuser-binding")
}

/// The device plugin.
pub fn device_plugin() -> PathBuf {
    built("vhostuser-device-plugin")
}

/// The CNI plugin.
pub fn cni_plugin() -> PathBuf {
    built("vhostuser")
}

/// A test runs from `<target>/<profile>/deps`. Cargo names no other package's programs to it.
fn built(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a process has a program");
    let program = test.ancestors().nth(2).expect("it is in the target folder").join(name);
    assert!(program.exists(), "{} is missing: run 'cargo build' first", program.display());
    program
}
