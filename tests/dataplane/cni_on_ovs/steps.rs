//! The plugin is killed at each system call by which it changes or asks something, as strace counts them: what it leaves is
//! cleared away by GC, or by DEL.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::call::{Answer, BINARY, Call};
use super::lab::{INFO, Lab, device, device_dir, ours};
use super::pool::Pool;
use dataplane::agent::{CLIENT1, Grants, SOCKET_ROOT};
use dataplane::node::{Stage, note};
use dataplane::wait::{seconds, until};

const LOG: &str = "/run/cni-steps";

/// All that changes something outside of the process, and what it waits for. Its helping threads are not followed: they
/// change nothing.
const CALLS: &str = "connect,sendto,recvfrom,write,openat,openat2,mkdir,rename,renameat,renameat2,unlink,unlinkat,fchown,\
                     fchmod,flock,clone,clone3,vfork,pidfd_open,wait4,waitid";

/// How many steps are taken that differ in numbers only.
const SAME_LOOKS: usize = 3;

/// The `count`th call of this name.
#[derive(Debug, Clone)]
struct Step {
    name: String,
    count: usize,
}

fn traced(call: &Call, command: &str, more: &[String]) -> Result<Answer> {
    let mut program = Command::new("/usr/bin/strace");
    program.args(["-o", LOG, "-e", &format!("trace={CALLS}")]).args(more).arg(BINARY);
    call.start_in(program, command)?.answer()
}

/// The steps of an undisturbed call, from the first that concerns anybody else.
fn steps(call: &Call, command: &str) -> Result<(Answer, Vec<Step>)> {
    let answer = traced(call, command, &[])?;
    let (mut counts, mut looks) = (BTreeMap::new(), BTreeMap::new());
    let mut steps = Vec::new();
    for line in fs::read_to_string(LOG)?.lines() {
        let Some((name, _)) = line.split_once('(') else { continue };
        let count = counts.entry(name.to_owned()).and_modify(|count| *count += 1).or_insert(1);
        // A busy switch is asked many times until it is ready, and the next call fewer times.
        let same = looks.entry(line.replace(|c: char| c.is_ascii_digit(), "")).or_insert(0);
        *same += 1;
        if *same <= SAME_LOOKS {
            steps.push(Step { name: name.to_owned(), count: *count });
        }
    }
    let first = steps.iter().position(|step| ["flock", "connect"].contains(&step.name.as_str()));
    let steps = steps.split_off(first.context("it asks nobody")?);
    Ok((answer, steps))
}

/// True if it came so far. How often it reads or waits is not the same each time.
fn kill_at(step: &Step, call: &Call, command: &str) -> Result<bool> {
    let kill = format!("inject={}:signal=KILL:when={}", step.name, step.count);
    let answer = traced(call, command, &["-e".to_owned(), kill])?;
    let killed = answer.killed().is_ok();
    ensure!(killed || answer.succeeded(), "at {step:?}: {}", answer.shown());
    Ok(killed)
}

/// An attachment with everything that can be left behind.
struct Target<'l> {
    lab: &'l Lab,
    pool: Pool,
    call: Call,
    dir: PathBuf,
    switch_listens: bool,
}

impl<'l> Target<'l> {
    fn new(lab: &'l Lab, id: &str, dir: PathBuf) -> Result<Self> {
        let pool = Pool::new()?;
        let call = pool.call("c1", id).with("toGuestKbit", 10_000).with("applicationFile", true);
        // Beside directories that Multus has not made yet.
        let info = json!({ "CNIDeviceInfoFile": format!("{INFO}/deep/c1.json") });
        Ok(Self {
            lab,
            pool,
            call: call.with("runtimeConfig", info).with("timeout", 8),
            dir,
            switch_listens: false,
        })
    }

    fn is_gone(&self, after: &str) -> Result<()> {
        self.lab.untouched().with_context(|| after.to_owned())?;
        ensure!(self.pool.given()?.is_empty(), "{after}: addresses are left with {:?}", self.pool.given()?);
        let own = self.dir.parent().map(names).unwrap_or_default();
        ensure!(own == ["pod"], "{after}: {own:?} beside the pod's directory");
        // The daemon may be about to move a socket into it.
        let info = names(&Path::new(INFO).join("deep"));
        ensure!(info.is_empty(), "{after}: {info:?} is left of device-info");
        until(&format!("{after}: the device's directory to be empty"), seconds(60), || {
            names(&self.dir).is_empty()
        })
    }

    /// Killed at each step: GC, or DEL, clears up, and the next ADD, with or without that, is as good as the first.
    fn killed_adds(&self) -> Result<()> {
        let (answer, steps) = steps(&self.call, "ADD")?;
        let result = answer.result()?;
        self.call.del()?.done()?;
        self.is_gone("after an undisturbed ADD")?;
        let (mut reached, mut left) = (0, 0);
        for step in &steps {
            reached += usize::from(kill_at(step, &self.call, "ADD")?);
            left += ours("br1")?.len();
            self.call.gc(&[])?.done()?;
            self.is_gone(&format!("GC after {step:?}"))?;
            kill_at(step, &self.call, "ADD")?;
            self.call.del()?.done()?;
            self.is_gone(&format!("DEL after {step:?}"))?;
            kill_at(step, &self.call, "ADD")?;
            ensure!(
                self.call.add()?.result()? == result,
                "ADD repeated after {step:?} answers something else"
            );
            self.call.check(&result)?.done()?;
            self.call.del()?.done()?;
            self.is_gone(&format!("ADD repeated after {step:?}, and DEL"))?;
        }
        note(&format!(
            "ADD killed at {reached} of {} steps, three times each; {left} times its port was there",
            steps.len()
        ));
        ensure!(reached * 10 >= steps.len() * 9, "most steps were not reached");
        ensure!(left > 0 && left < steps.len(), "it was never killed before, or never after it had a port");
        Ok(())
    }

    /// DEL, or GC, killed at each step: the next DEL or GC finishes it, also after a runtime has begun anew.
    fn killed_removals(&self, command: &str) -> Result<()> {
        let call = match command {
            "GC" => self.call.with("cni.dev/valid-attachments", json!([])),
            _ => self.call.clone(),
        };
        self.call.add()?.result()?;
        let (answer, steps) = steps(&call, command)?;
        answer.done()?;
        let mut reached = 0;
        for step in &steps {
            self.call.add()?.result()?;
            reached += usize::from(kill_at(step, &call, command)?);
            self.call.del()?.done()?;
            self.is_gone(&format!("DEL after {command} killed at {step:?}"))?;
            self.call.add()?.result()?;
            kill_at(step, &call, command)?;
            // Not where the switch listens: a removal that was killed after it had removed the socket leaves a port
            // whose socket nobody can place again.
            if !self.switch_listens {
                self.call.add()?.result()?;
            }
            self.call.gc(&[])?.done()?;
            self.is_gone(&format!("GC after {command} killed at {step:?}"))?;
        }
        note(&format!("{command} killed at {reached} of {} steps, twice each", steps.len()));
        ensure!(reached * 10 >= steps.len() * 9, "most steps were not reached");
        Ok(())
    }

    fn all(&self) -> Result<()> {
        self.killed_adds()?;
        self.killed_removals("DEL")?;
        self.killed_removals("GC")
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(LOG);
    }
}

/// The guest listens.
pub(crate) fn cni_killed_at_any_step_where_the_guest_listens(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let target = Target::new(&lab, &device(0), device_dir(&device(0)))?;
    target.all()
}

/// The switch listens, and the device plugin's daemon places its socket.
pub(crate) fn cni_killed_at_any_step_where_the_switch_listens(stage: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(0)?;
    let grants = Grants::admit(&stage.node.agent, "cni", &[(CLIENT1.to_owned(), 1)])?;
    let id = grants.allocations[0].ids.first().context("a device")?.clone();
    let mut target = Target::new(&lab, &id, Path::new(SOCKET_ROOT).join(&id).join("pod"))?;
    target.switch_listens = true;
    target.call = target.call.with("mode", "client").with("socketRoot", SOCKET_ROOT);
    target.all()
}

fn names(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}
