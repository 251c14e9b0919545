//! A control group with a fifth of a processor, which is what KubeVirt gives the sidecar of a VM with dedicated ones.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
};

/// Microseconds of processor time in each period, and the period.
const QUOTA: u32 = 20_000;
const PERIOD: u32 = 100_000;

/// The group; it goes when this is dropped.
pub struct CpuLimit(PathBuf);

impl CpuLimit {
    /// Needs root and a control group file system that can be written.
    pub fn new() -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let unified = root.join("cgroup.controllers").exists();
        let name = format!("sidecar-bench-{}", process::id());
        let dir = if unified { root.join(name) } else { root.join("cpu").join(name) };
        fs::create_dir(&dir).map_err(|error| io::Error::other(format!("{}: {error}", dir.display())))?;
        let group = Self(dir);
        if unified {
            group.set("cpu.max", &format!("{QUOTA} {PERIOD}"))?;
        } else {
            group.set("cpu.cfs_period_us", &PERIOD.to_string())?;
            group.set("cpu.cfs_quota_us", &QUOTA.to_string())?;
        }
        Ok(group)
    }

    /// What a process writes its id to in order to join.
    pub fn members(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        let path = self.0.join(file);
        fs::write(&path, value).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
    }
}

impl Drop for CpuLimit {
    fn drop(&mut self) {
        // A member that has just ended may still be counted; an empty group left behind costs nothing.
        let _ = fs::remove_dir(&self.0);
    }
}
