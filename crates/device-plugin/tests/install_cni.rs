//! `vhostuser-device-plugin install-cni`, the real binary, killed in the middle of its work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Output},
};

const BINARY: &str = env!("CARGO_BIN_EXE_vhostuser-device-plugin");

/// The signal for writing more than one may.
const SIGXFSZ: i32 = 25;

struct Node(tempfile::TempDir);

impl Node {
    /// An old program on the host, and a new one in the image.
    fn new() -> Self {
        let node = Self(tempfile::tempdir().unwrap());
        fs::create_dir(node.path("bin")).unwrap();
        fs::write(node.path("bin/vhostuser"), "old").unwrap();
        fs::write(node.path("vhostuser"), vec![b'n'; 100_000]).unwrap();
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, mut command: Command) -> Output {
        command.arg("--from").arg(self.path("vhostuser")).arg("--to").arg(self.path("bin")).output().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("bin")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn install() -> Command {
    let mut command = Command::new(BINARY);
    command.arg("install-cni");
    command
}

/// The kernel ends it after 4096 of 100000 bytes: every time at the same place.
#[test]
fn killed_half_way_the_old_program_stays_and_the_next_run_cleans_up() {
    let node = Node::new();
    let mut limited = Command::new("prlimit");
    limited.args(["--fsize=4096", "--core=0", BINARY, "install-cni"]);
    let killed = node.run(limited);
    assert_eq!(killed.status.signal(), Some(SIGXFSZ));
    assert_eq!(fs::read(node.path("bin/vhostuser")).unwrap(), b"old");
    let [temporary, program] = &node.names()[..] else { panic!("{:?}", node.names()) };
    assert!(temporary.starts_with(".vhostuser-"), "{temporary}");
    assert_eq!(program, "vhostuser");
    assert_eq!(fs::metadata(node.path("bin").join(temporary)).unwrap().len(), 4096);

    let done = node.run(install());
    let said = format!("installed {} in {}\n", node.path("vhostuser").display(), node.path("bin").display());
    assert_eq!((done.status.code(), String::from_utf8(done.stderr).unwrap()), (Some(0), said));
    assert_eq!(node.names(), ["vhostuser"]);
    assert_eq!(fs::read(node.path("bin/vhostuser")).unwrap(), vec![b'n'; 100_000]);
}

#[test]
fn a_failure_is_reported_with_its_own_exit_code() {
    let node = Node::new();
    fs::remove_file(node.path("vhostuser")).unwrap();
    let failed = node.run(install());
    let said =
        format!("error: {}: No such file or directory (os error 2)\n", node.path("vhostuser").display());
    assert_eq!((failed.status.code(), String::from_utf8(failed.stderr).unwrap()), (Some(1), said));
    assert_eq!(node.names(), ["vhostuser"]);
}

/// The flags of the server still need no subcommand, and do not mix with those of `install-cni`.
#[test]
fn the_server_is_the_default() {
    let check = Command::new(BINARY).args(["--check", "--config", "/nonexistent"]).output().unwrap();
    let said = "error: /nonexistent: No such file or directory (os error 2): pass the configuration file with --config\n";
    assert_eq!((check.status.code(), String::from_utf8(check.stderr).unwrap()), (Some(2), said.to_owned()));
    for arguments in
        [&["--check", "install-cni", "--to=/x"][..], &["install-cni"], &["install-cni", "--check", "--to=/x"]]
    {
        assert_eq!(
            Command::new(BINARY).args(arguments).output().unwrap().status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
}
