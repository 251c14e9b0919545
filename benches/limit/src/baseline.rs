//! The accepted counts, and what may grow by how much.

use std::{collections::BTreeMap, fs, path::Path, process::ExitCode};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Counts;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.json");

/// Percent by which a pure path may grow: it is the same in each run.
const PURE: u64 = 3;

/// Percent by which a path over a socket may grow: how often the kernel wakes a server varies.
const SOCKET: u64 = 10;

/// Counts, and what they depend on.
pub(crate) struct Baseline {
    toolchain: String,
    cpu: String,
    counts: Counts,
}

impl Baseline {
    /// This run's.
    pub(crate) fn of_this_machine(counts: Counts) -> Result<Self> {
        Ok(Self { toolchain: env!("RUSTC_VERSION").to_owned(), cpu: cpu_features()?, counts })
    }

    /// Compares with the accepted counts, or accepts these.
    pub(crate) fn judge(self, accept: bool) -> Result<ExitCode> {
        if accept {
            fs::write(FILE, format!("{:#}\n", self.json()))?;
            println!("accepted: {} counts", self.counts.len());
            return Ok(ExitCode::SUCCESS);
        }
        let accepted = Self::read(Path::new(FILE))?;
        let grown = self.grown(&accepted.counts);
        for line in &grown {
            println!("{line}");
        }
        if grown.is_empty() {
            println!("no count has grown beyond its limit");
            return Ok(ExitCode::SUCCESS);
        }
        if (&self.toolchain, &self.cpu) != (&accepted.toolchain, &accepted.cpu) {
            println!("only reported: the accepted counts are of {} on {}", accepted.toolchain, accepted.cpu);
            return Ok(ExitCode::SUCCESS);
        }
        println!(
            "make it cheaper, or accept the new counts with 'make count ACCEPT=--accept' and commit them"
        );
        Ok(ExitCode::FAILURE)
    }

    fn grown(&self, accepted: &Counts) -> Vec<String> {
        let all = self.counts.iter().map(|(name, count)| (name, *count, accepted.get(name).copied()));
        all.filter_map(|(name, count, before)| {
            let percent = if name.starts_with("pure path") { PURE } else { SOCKET };
            match before {
                Some(before) if count <= before + before * percent / 100 => None,
                Some(before) => Some(format!("GROWN {name}: {count}, accepted {before}, limit {percent} %")),
                None => Some(format!("NEW {name}: {count}")),
            }
        })
        .collect()
    }

    fn json(&self) -> Value {
        json!({ "toolchain": self.toolchain, "cpu": self.cpu, "counts": self.counts })
    }

    fn read(path: &Path) -> Result<Self> {
        let value: Value = serde_json::from_slice(&fs::read(path)?).context("counts.json")?;
        let text = |key: &str| value[key].as_str().map(str::to_owned).context("counts.json");
        let counts: BTreeMap<_, _> = value["counts"]
            .as_object()
            .context("counts.json")?
            .iter()
            .filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)))
            .collect();
        Ok(Self { toolchain: text("toolchain")?, cpu: text("cpu")?, counts })
    }
}

/// Those on which libraries choose their code.
fn cpu_features() -> Result<String> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
    let flags = cpuinfo.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let known = ["sse4_2", "avx", "avx2", "bmi2", "erms", "fsrm", "sha_ni"];
    let has = |name: &&str| flags.split_ascii_whitespace().any(|flag| flag == *name);
    Ok(known.into_iter().filter(has).collect::<Vec<_>>().join(" "))
}
