//! Commands that end by themselves, and processes that end with the value that holds them.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{seconds, until_some};

/// Runs a command to its end and returns its output. Failure and a missed deadline are errors with what it said.
pub fn run(limit: Duration, command: &[&str]) -> Result<String> {
    let output = Command::new("timeout")
        .args(["--kill-after=2", &limit.as_secs().to_string()])
        .args(command)
        .stdin(Stdio::null())
        .output()
        .context("timeout (coreutils)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Some(124) => bail!("`{}` still ran after {} s: {}", command.join(" "), limit.as_secs(), said.trim()),
        _ => bail!("`{}`: {}: {}", command.join(" "), output.status, said.trim()),
    }
}

/// A long-running process. Dropping it asks it to end, then insists.
pub struct Process {
    name: String,
    child: Child,
    /// The process that signals go to: the child, or PID 1 of the namespace the child has made.
    target: Pid,
}

impl Process {
    /// Starts a daemon in the foreground.
    pub fn daemon(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let child = spawn(name, command, log)?;
        let target = pid_of(&child)?;
        Ok(Self { name: name.to_owned(), child, target })
    }

    /// Starts a shell script as PID 1 of new mount and PID namespaces, in a network namespace that there is.
    pub fn container(script: &str, arguments: &[String], network: &Path, log: &Path) -> Result<Self> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", network.display())).arg("unshare");
        command.args(["--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.arg(script).args(arguments);
        let child = spawn(script, &mut command, log)?;
        let outside = pid_of(&child)?;
        let target = until_some("a container's first process", seconds(60), || only_child_of(outside))?;
        Ok(Self { name: script.to_owned(), child, target })
    }

    /// The process that was started; in a container its first one.
    pub fn pid(&self) -> Pid {
        self.target
    }

    pub fn signal(&self, signal: Signal) {
        // Fails only if the process has ended, which is what every caller wants to bring about.
        let _ = kill_process(self.target, signal);
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the process to end by itself.
    pub fn exit_status(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to exit", self.name);
        until_some(&what, limit, || self.child.try_wait().ok().flatten())
    }

    /// Ends it at once, without a chance to clean up.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::KILL);
        self.exit_status(seconds(60)).map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.signal(Signal::TERM);
        }
        if self.exit_status(seconds(5)).is_err() {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

fn spawn(name: &str, command: &mut Command, log: &Path) -> Result<Child> {
    let log = append(log)?;
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
    child.with_context(|| format!("starting {name}"))
}

fn append(log: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(log).with_context(|| format!("{}", log.display()))
}

fn pid_of(child: &Child) -> Result<Pid> {
    Pid::from_raw(child.id().cast_signed()).context("a child has a process id")
}

fn only_child_of(parent: Pid) -> Option<Pid> {
    let parent = parent.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}
