//! A docker daemon for the test: no network, no foreign images, nothing left on the machine.

use std::{
    fs::{self, File},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The daemon's mounts, and what it creates below /run, are visible to no one else.
const ALONE: &str = r#"mount -t tmpfs tmpfs /run && exec "$@""#;

pub struct Docker {
    process: Child,
    dir: tempfile::TempDir,
}

impl Docker {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let option = |name: &str, file: &str| format!("--{name}={}", at(file).display());
        // Not the machine's configuration, which may differ.
        fs::write(at("daemon.json"), "{}").unwrap();
        // --kill-child: containerd, which the daemon starts, ends with it.
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", ALONE, "sh"]);
        command.args(["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"]);
        command.args(["--storage-driver=vfs"]).arg(format!("--host=unix://{}", at("socket").display()));
        command.args([
            option("data-root", "data"),
            option("exec-root", "exec"),
            option("pidfile", "pid"),
            option("config-file", "daemon.json"),
        ]);
        let log = File::create(at("log")).unwrap();
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let docker = Self { process, dir };
        docker.wait();
        docker
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn wait(&self) {
        let started = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(started.elapsed() < PATIENCE, "no docker daemon within {PATIENCE:?}: {}", log());
            sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
