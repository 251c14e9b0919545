//! What a container runtime makes of a pod before its containers: a name of its own and a network namespace.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::process::run;
use crate::wait::seconds;

/// It goes with this value.
pub struct Sandbox {
    pub pod: String,
    /// The runtime's name for it, another for each pod.
    pub id: String,
}

impl Sandbox {
    pub fn new(pod: &str) -> Result<Self> {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let sandbox = Self { pod: pod.to_owned(), id: uuid.trim().to_owned() };
        run(seconds(60), &["ip", "netns", "add", &sandbox.namespace()])?;
        Ok(sandbox)
    }

    fn namespace(&self) -> String {
        format!("cni-{}", self.id)
    }

    /// The file that stands for the network namespace.
    pub fn network(&self) -> PathBuf {
        Path::new("/run/netns").join(self.namespace())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = run(seconds(60), &["ip", "netns", "del", &self.namespace()]);
    }
}
