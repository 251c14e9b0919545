//! The real sidecar with a hook directory of its own, called as virt-launcher calls it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use launcher_sim::{Client, plugin::mutate_domain};
use tonic::Status;

const PLUGIN_SOCKET: &str = "vhostuser.sock";

/// Ends the process when dropped.
pub struct Sidecar {
    process: Child,
    hook_dir: tempfile::TempDir,
    pub client: Client,
    /// Holds the socket of KubeVirt's plugin framework.
    plugin_dir: tempfile::TempDir,
}

impl Sidecar {
    /// Starts in `folder`, so that messages name files as the folder does, and never waits for a file.
    pub async fn start(folder: &Path, flags: &[String]) -> Self {
        let (hook_dir, plugin_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let process = Command::new(env!("CARGO_BIN_EXE_network-vhostuser-binding"))
            .env_clear()
            .current_dir(folder)
            .args(["serve", "--network-info", "network-info.json", "--dra-dir", "dra", "--wait", "0s"])
            .arg("--hook-dir")
            .arg(hook_dir.path())
            .arg("--plugin-socket")
            .arg(plugin_dir.path().join(PLUGIN_SOCKET))
            .args(flags)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = Client::new(socket_in(hook_dir.path()).await);
        Self { process, hook_dir, client, plugin_dir }
    }

    /// One call of the plugin framework.
    pub async fn mutate(&self, domain: &[u8], vmi: &[u8]) -> Result<String, Status> {
        mutate_domain(&self.plugin_dir.path().join(PLUGIN_SOCKET), "libvirt", domain, vmi, "Boot").await
    }

    /// The links below the hook directory, one a line, sorted.
    pub fn links(&self) -> String {
        let mut links = Vec::new();
        collect(self.hook_dir.path(), self.hook_dir.path(), &mut links);
        links.sort();
        links.concat()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn socket_in(hook_dir: &Path) -> PathBuf {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(entry) = hook_dir.read_dir().unwrap().next() {
            return entry.unwrap().path();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the sidecar made no socket");
}

fn collect(root: &Path, dir: &Path, links: &mut Vec<String>) {
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            collect(root, &path, links);
        } else if kind.is_symlink() {
            let name = path.strip_prefix(root).unwrap().display();
            links.push(format!("{name} -> {}\n", fs::read_link(&path).unwrap().display()));
        }
    }
}
