//! How virt-launcher finds its sidecars: `Collect` of `pkg/hooks/manager.go`.
//!
//! One deviation: up to 1.5 KubeVirt looks at the clock only while it handles an entry, and so polls an empty
//! directory for ever. Here the clock is read in every pass, so that a test ends.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::time::{Instant, sleep};
use tonic::Status;

use super::client::{Client, InfoResult, info_over};
use super::dial::dial;

/// The callback versions KubeVirt knows, the preferred one first.
const VERSIONS: [&str; 3] = ["v1alpha3", "v1alpha2", "v1alpha1"];

/// What the hook directory looks like to the compute container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Up to 1.5: every entry is dialled, whatever it is.
    Flat,
    /// From 1.6: one directory per sidecar container; whatever is not a directory *inside* one is dialled.
    PerSidecar,
}

/// When a pass over the directory happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Up to 1.7: a sleep after every pass, also after the last.
    SleepAfter(Duration),
    /// From 1.8: the first pass at once, then one for each tick (`Collect`, `pkg/hooks/manager.go`).
    TickBetween(Duration),
}

/// A wait for a number of sidecars.
#[derive(Clone, Debug)]
pub struct Collect {
    /// The hook directory.
    pub dir: PathBuf,
    /// Which entries are dialled.
    pub layout: Layout,
    /// How often they are looked at.
    pub pace: Pace,
    /// The launcher's `--hook-sidecars`.
    pub sidecars: usize,
    /// The launcher's `--qemu-timeout` (240 to 359 s in a cluster).
    pub timeout: Duration,
}

/// A sidecar that answered.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its socket.
    pub socket: PathBuf,
    /// Its answer to `Info`.
    pub info: InfoResult,
    /// The callback version KubeVirt picks from it.
    pub version: &'static str,
}

impl Found {
    /// A client for the callbacks.
    pub fn client(&self) -> Client {
        Client::new(&self.socket)
    }
}

/// virt-launcher panics on every one of these.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// Fewer sidecars than asked for.
    #[error("{} of {expected} hook sockets within the timeout", found.len())]
    Timeout {
        /// Those that were found.
        found: Vec<Found>,
        /// How many were asked for.
        expected: usize,
    },
    /// Never retried.
    #[error("Info of {}: {status}", socket.display())]
    Info {
        /// The socket that was dialled.
        socket: PathBuf,
        /// The answer.
        status: Status,
    },
    /// Nothing in common.
    #[error("{} offers only {versions:?}", socket.display())]
    Versions {
        /// The socket that was dialled.
        socket: PathBuf,
        /// What the sidecar offers.
        versions: Vec<String>,
    },
    /// The hook directory or one of its sub-directories cannot be read.
    #[error("hook directory: {0}")]
    Directory(#[from] io::Error),
}

impl Collect {
    /// Returns the sidecars in the order in which they were found, which is the order of every later call:
    /// names ascending within a pass. A priority has no say in it.
    pub async fn collect(&self) -> Result<Vec<Found>, CollectError> {
        let started = Instant::now();
        // Keyed by bare file name, over all sub-directories: two sidecars with one socket name count once.
        let mut processed = HashSet::new();
        let mut found = Vec::new();
        while processed.len() < self.sidecars {
            if started.elapsed() >= self.timeout {
                return Err(CollectError::Timeout { found, expected: self.sidecars });
            }
            self.pass(&mut processed, &mut found).await?;
            match self.pace {
                Pace::TickBetween(_) if processed.len() >= self.sidecars => {}
                Pace::TickBetween(pause) | Pace::SleepAfter(pause) => sleep(pause).await,
            }
        }
        Ok(found)
    }

    async fn pass(
        &self,
        processed: &mut HashSet<OsString>,
        found: &mut Vec<Found>,
    ) -> Result<(), CollectError> {
        for (name, path) in self.candidates()? {
            if processed.contains(&name) {
                continue;
            }
            if let Some(sidecar) = ask(&path).await? {
                found.push(sidecar);
                processed.insert(name);
            }
        }
        Ok(())
    }

    fn candidates(&self) -> io::Result<Vec<(OsString, PathBuf)>> {
        let entries = sorted(&self.dir)?;
        if self.layout == Layout::Flat {
            return Ok(entries.into_iter().map(|entry| (entry.file_name(), entry.path())).collect());
        }
        let mut candidates = Vec::new();
        for sidecar in entries {
            // The type of the entry itself: a link to a directory is not a directory.
            if !sidecar.file_type()?.is_dir() {
                continue;
            }
            for entry in sorted(&sidecar.path())? {
                if !entry.file_type()?.is_dir() {
                    candidates.push((entry.file_name(), entry.path()));
                }
            }
        }
        Ok(candidates)
    }
}

/// `None` when nobody answers the dial: "might not be ready yet", so the next pass tries again.
async fn ask(socket: &Path) -> Result<Option<Found>, CollectError> {
    let Ok(channel) = dial(socket).await else {
        return Ok(None);
    };
    let socket = socket.to_owned();
    let info = match info_over(channel).await {
        Ok(info) => info,
        Err(status) => return Err(CollectError::Info { socket, status }),
    };
    match VERSIONS.into_iter().find(|version| info.versions.iter().any(|offered| offered == version)) {
        Some(version) => Ok(Some(Found { socket, info, version })),
        None => Err(CollectError::Versions { socket, versions: info.versions }),
    }
}

fn sorted(dir: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}
