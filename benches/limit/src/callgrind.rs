//! Programs under callgrind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{Counts, inputs};

/// Iterations of the pure path. The first is left out by counting a run with one alone.
const PURE_TIMES: u64 = 11;

/// A program that is running under callgrind.
pub(crate) struct Counted {
    child: Child,
    output: PathBuf,
    dumps: u32,
}

impl Counted {
    /// Starts it; callgrind's own files go to `dir`.
    pub(crate) fn start(program: &Path, arguments: &[String], dir: &Path) -> Result<Self> {
        let output = dir.join("callgrind");
        let child = valgrind(&output).arg(program).args(arguments).spawn().context("valgrind")?;
        Ok(Self { child, output, dumps: 0 })
    }

    /// The instructions since the start or the last time.
    pub(crate) fn instructions(&mut self) -> Result<u64> {
        let process = self.child.id().to_string();
        let control = Command::new("callgrind_control").arg("--dump").arg(&process).output()?;
        ensure!(control.status.success(), "callgrind_control: {}", String::from_utf8_lossy(&control.stderr));
        self.dumps += 1;
        totals(&PathBuf::from(format!("{}.{}", self.output.display(), self.dumps)))
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn valgrind(output: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg("--quiet");
    command.arg(format!("--callgrind-out-file={}", output.display()));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The sum that stands at the end of callgrind's file.
fn totals(file: &Path) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let line = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    line.context("callgrind wrote no totals")?.trim().parse().context("callgrind's totals")
}

/// Counts the pure path of a hook call, without server and files.
pub(crate) fn pure(program: &Path, counts: &mut Counts) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> Result<PathBuf> {
        let path = dir.path().join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let (vmi, info) = (file("vmi", inputs::VMI)?, file("network-info", inputs::NETWORK_INFO)?);
    for (name, domain) in inputs::domains() {
        let domain = file("domain", &domain)?;
        let run = |times: u64| -> Result<u64> {
            let output = dir.path().join("callgrind");
            let mut command = valgrind(&output);
            let status = command.arg(program).args([&domain, &vmi, &info]).arg(times.to_string()).status()?;
            ensure!(status.success(), "{}: {status}", program.display());
            totals(&output)
        };
        let count = (run(PURE_TIMES)? - run(1)?) / (PURE_TIMES - 1);
        counts.insert(format!("pure path: {name}"), count);
    }
    Ok(())
}
