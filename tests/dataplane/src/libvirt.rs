//! virsh against the libvirt of one pod.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::run;
use crate::wait::seconds;

pub struct Libvirt {
    pod_dir: PathBuf,
}

impl Libvirt {
    /// `pod_dir` is the same path on the node and in every compute container: that is how one libvirt reaches another.
    pub fn new(pod_dir: &Path) -> Self {
        Self { pod_dir: pod_dir.to_owned() }
    }

    pub fn uri(&self) -> String {
        format!("qemu+unix:///session?socket={}/run/libvirt/libvirt-sock", self.pod_dir.display())
    }

    pub fn virsh(&self, limit: Duration, arguments: &[&str]) -> Result<String> {
        run(limit, &[&["virsh", "-q", "-c", &self.uri()], arguments].concat())
    }

    /// Runs beside the test: for calls that are expected to wait.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Child> {
        let mut command = Command::new("virsh");
        command.args(["-q", "-c", &self.uri()]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("virsh")
    }

    pub fn define(&self, xml: &str) -> Result<()> {
        self.virsh(seconds(60), &["define", &self.write("domain.xml", xml)?]).map(drop)
    }

    pub fn start(&self, domain: &str) -> Result<()> {
        self.virsh(seconds(30), &["start", domain]).map(drop)
    }

    pub fn destroy(&self, domain: &str) -> Result<()> {
        self.virsh(seconds(30), &["destroy", domain]).map(drop)
    }

    pub fn undefine(&self, domain: &str) -> Result<()> {
        self.virsh(seconds(30), &["undefine", domain]).map(drop)
    }

    pub fn inactive_xml(&self, domain: &str) -> Result<String> {
        self.virsh(seconds(60), &["dumpxml", "--inactive", domain])
    }

    pub fn live_xml(&self, domain: &str) -> Result<String> {
        self.virsh(seconds(60), &["dumpxml", domain])
    }

    /// For example `running (booted)`.
    pub fn state(&self, domain: &str) -> String {
        let state = self.virsh(seconds(60), &["domstate", "--reason", domain]);
        state.map_or_else(|error| format!("{error:#}"), |state| state.trim().to_owned())
    }

    /// libvirt's major version.
    pub fn major_version(&self) -> Result<u32> {
        let versions = self.versions()?;
        let number = versions.split("libvirt ").nth(1).and_then(|rest| rest.split('.').next());
        number.and_then(|number| number.parse().ok()).with_context(|| format!("no version in {versions}"))
    }

    pub fn versions(&self) -> Result<String> {
        self.virsh(seconds(60), &["version"])
    }

    /// The migration that KubeVirt asks for: live, peer to peer, over a unix socket, persistent at the target.
    pub fn migrate(&self, domain: &str, target: &Libvirt) -> Result<()> {
        let destination = target.uri();
        let data = format!("unix://{}/migration.sock", target.pod_dir.join("run").display());
        let arguments = [
            "migrate",
            "--live",
            "--p2p",
            "--persistent",
            domain,
            "--desturi",
            &destination,
            "--migrateuri",
            &data,
        ];
        self.virsh(seconds(60), &arguments).map(drop)
    }

    /// The downtime that QEMU itself counted, asked for at the target after a migration.
    pub fn downtime_ms(&self, domain: &str) -> Result<u64> {
        let job = self.virsh(seconds(60), &["domjobinfo", "--completed", domain])?;
        let line = job.lines().find(|line| line.starts_with("Total downtime:"));
        let value = line.and_then(|line| line.split_whitespace().nth(2));
        value.and_then(|value| value.parse().ok()).with_context(|| format!("no downtime in {job}"))
    }

    /// What QEMU and libvirt wrote about a domain: its command line, warnings.
    pub fn qemu_log(&self, domain: &str) -> String {
        fs::read_to_string(self.qemu_log_file(domain)).unwrap_or_default()
    }

    pub fn qemu_log_file(&self, domain: &str) -> PathBuf {
        self.pod_dir.join(format!("cache/libvirt/qemu/log/{domain}.log"))
    }

    /// A file beside this libvirt, for a command that reads one.
    pub fn write(&self, name: &str, xml: &str) -> Result<String> {
        let file = self.pod_dir.join(name);
        fs::write(&file, xml)?;
        Ok(file.display().to_string())
    }
}
