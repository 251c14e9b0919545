use std::{
    fs::Permissions,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    process::Command,
};

use super::*;

struct Node(tempfile::TempDir);

impl Node {
    /// The program `cni` in the image, and an empty directory on the host.
    fn new(program: &[u8]) -> Self {
        let node = Self(tempfile::tempdir().unwrap());
        fs::create_dir(node.path("image")).unwrap();
        fs::create_dir(node.path("bin")).unwrap();
        fs::write(node.path("image/cni"), program).unwrap();
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn install(&self) -> Result<Done, InstallError> {
        install(&self.path("image/cni"), &self.path("bin"))
    }

    /// The names in the host's directory.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("bin")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn assert_installed(&self, program: &[u8]) {
        let target = self.path("bin/cni");
        assert_eq!(fs::read(&target).unwrap(), program);
        let metadata = fs::symlink_metadata(&target).unwrap();
        assert!(metadata.is_file());
        assert_eq!(metadata.mode() & 0o7777, 0o755);
        assert_eq!(self.names(), ["cni"]);
    }
}

#[test]
fn places_replaces_and_leaves_alone() {
    let node = Node::new(b"one");
    assert_eq!(node.install().unwrap(), Done::Installed);
    node.assert_installed(b"one");
    let inode = fs::metadata(node.path("bin/cni")).unwrap().ino();
    assert_eq!(node.install().unwrap(), Done::Unchanged);
    assert_eq!(fs::metadata(node.path("bin/cni")).unwrap().ino(), inode);
    // Of the same length, so that the bytes are compared.
    fs::write(node.path("image/cni"), b"two").unwrap();
    assert_eq!(node.install().unwrap(), Done::Installed);
    node.assert_installed(b"two");
}

#[test]
fn mends_rights_and_a_half_written_program() {
    let node = Node::new(b"program");
    fs::write(node.path("bin/cni"), b"prog").unwrap();
    assert_eq!(node.install().unwrap(), Done::Installed);
    node.assert_installed(b"program");
    fs::set_permissions(node.path("bin/cni"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(node.install().unwrap(), Done::Installed);
    node.assert_installed(b"program");
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let node = Node::new(b"program");
    fs::write(node.path("victim"), b"program").unwrap();
    fs::set_permissions(node.path("victim"), Permissions::from_mode(0o755)).unwrap();
    // Even though it leads to the same bytes: what it leads to may change.
    symlink(node.path("victim"), node.path("bin/cni")).unwrap();
    assert_eq!(node.install().unwrap(), Done::Installed);
    node.assert_installed(b"program");
    assert_eq!(fs::metadata(node.path("victim")).unwrap().nlink(), 1);
    fs::remove_file(node.path("bin/cni")).unwrap();
    symlink(node.path("nowhere"), node.path("bin/cni")).unwrap();
    assert_eq!(node.install().unwrap(), Done::Installed);
    node.assert_installed(b"program");
    assert!(!node.path("nowhere").exists());
}

#[test]
fn a_directory_is_refused_by_name_and_leaves_nothing() {
    let node = Node::new(b"program");
    fs::create_dir(node.path("bin/cni")).unwrap();
    let error = node.install().unwrap_err().to_string();
    assert_eq!(error, format!("{} is a directory: nothing was installed", node.path("bin/cni").display()));
    assert_eq!(node.names(), ["cni"]);
}

#[test]
fn a_missing_directory_is_told() {
    let node = Node::new(b"program");
    let error = install(&node.path("image/cni"), &node.path("none")).unwrap_err().to_string();
    assert_eq!(error, format!("{}: No such file or directory (os error 2)", node.path("none").display()));
    let error = install(&node.path("image/none"), &node.path("bin")).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{}: No such file or directory (os error 2)", node.path("image/none").display())
    );
    let error = install(Path::new("/"), &node.path("bin")).unwrap_err().to_string();
    assert_eq!(error, "/ is not the path of a program");
    assert_eq!(node.names(), [] as [&str; 0]);
}

#[test]
fn a_killed_predecessors_file_goes_and_others_stay() {
    let node = Node::new(b"program");
    for name in [".vhostuser-0badcafe", "bridge", ".hidden"] {
        fs::write(node.path("bin").join(name), "half").unwrap();
    }
    node.install().unwrap();
    assert_eq!(node.names(), [".hidden", "bridge", "cni"]);
    fs::write(node.path("bin/.vhostuser-0badcafe"), "half").unwrap();
    assert_eq!(node.install().unwrap(), Done::Unchanged);
    assert_eq!(node.names(), [".hidden", "bridge", "cni"]);
}

/// A program that runs cannot be written to; it can be replaced.
#[test]
fn a_running_program_is_replaced() {
    let node = Node::new(&fs::read("/bin/sleep").unwrap());
    node.install().unwrap();
    let mut running = Command::new(node.path("bin/cni")).arg("60").spawn().unwrap();
    let program = fs::read("/bin/true").unwrap();
    fs::write(node.path("image/cni"), &program).unwrap();
    let done = node.install();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(done.unwrap(), Done::Installed);
    node.assert_installed(&program);
}
