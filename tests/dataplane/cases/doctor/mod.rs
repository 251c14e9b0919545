//! Every finding of doctor's on a real node and in a real pod: one thing is broken, doctor tells exactly that, and what
//! it says mends it. Where it prints a command, that command is run as it is printed.
//!
//! ```text
//! files     hugepages, the socket root, devices' directories, device-info
//! switch    OVS, its bridges and processes
//! ports     a port whose guest is there
//! waiting   who waits for whom
//! pod       the sidecar's and compute's view
//! ```

pub(super) mod files;
pub(super) mod pod;
pub(super) mod ports;
pub(super) mod switch;
pub(super) mod waiting;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use vocabulary::DeviceId;

use dataplane::doctor::{self, Finding};
use dataplane::node::{Stage, ms, note};
use dataplane::process::run;
use dataplane::wait::{seconds, until_some};

/// Something that is done to the node.
#[derive(Clone, Copy)]
enum Step<'a> {
    /// By a shell on it.
    Shell(&'a str),
    /// By those who started its programs.
    Do(fn(&mut Stage<'_>) -> Result<()>),
    /// What doctor prints, between these words of it, with what a person has to fill in.
    Printed { after: &'a str, before: &'a str, filled_in: (&'a str, &'a str) },
}

use Step::{Do, Printed, Shell};

/// The whole of what doctor prints.
const AS_PRINTED: Step<'_> = between("", "");

const fn between<'a>(after: &'a str, before: &'a str) -> Step<'a> {
    Printed { after, before, filled_in: ("", "") }
}

/// One thing that is broken.
struct Broken<'a> {
    by: &'a [Step<'a>],
    /// What doctor must find then, and nothing else: ids and places.
    told: Vec<(&'a str, String)>,
    mended_by: &'a [Step<'a>],
}

fn broken<'a>(
    by: &'a [Step<'a>],
    (id, place): (&'a str, impl Into<String>),
    mended_by: &'a [Step<'a>],
) -> Broken<'a> {
    Broken { by, told: vec![(id, place.into())], mended_by }
}

impl<'a> Broken<'a> {
    /// What cannot be otherwise then.
    fn and(mut self, id: &'a str, place: impl Into<String>) -> Self {
        self.told.push((id, place.into()));
        self
    }

    fn is_told_and_mended(&self, stage: &mut Stage<'_>) -> Result<()> {
        let (started, id) = (Instant::now(), self.told[0].0);
        let before = doctor::node()?;
        take(stage, self.by, "").with_context(|| format!("breaking: {id}"))?;
        let new = settled(&before, |new| same(new, &self.told)).with_context(|| format!("broken: {id}"))?;
        let told = new.iter().find(|finding| finding.is(&self.told[0])).context("it was told")?;
        take(stage, self.mended_by, &told.mend).with_context(|| format!("mending: {id}"))?;
        settled(&before, <[_]>::is_empty).with_context(|| format!("mended: {id}"))?;
        ensure!(doctor::node()? == before, "{id}: after mending less is wrong than before breaking");
        note(&format!("{id} ({} ms): {}", ms(started.elapsed()), told.mend));
        Ok(())
    }
}

fn take(stage: &mut Stage<'_>, steps: &[Step<'_>], mend: &str) -> Result<()> {
    steps.iter().try_for_each(|step| step.take(stage, mend))
}

impl Step<'_> {
    fn take(self, stage: &mut Stage<'_>, mend: &str) -> Result<()> {
        match self {
            Shell(command) => shell(command),
            Do(step) => step(stage),
            Printed { after, before, filled_in: (gap, value) } => {
                let start =
                    mend.find(after).with_context(|| format!("no {after:?} in {mend:?}"))? + after.len();
                let length = match before {
                    "" => mend.len() - start,
                    before => {
                        mend[start..].find(before).with_context(|| format!("no {before:?} in {mend:?}"))?
                    }
                };
                let command = &mend[start..start + length];
                ensure!(command.contains(gap), "nothing is to be filled in: {command:?}");
                shell(&command.replacen(gap, value, 1))
            }
        }
    }
}

fn shell(command: &str) -> Result<()> {
    run(seconds(30), &["sh", "-euc", command]).map(drop)
}

/// What is wrong that was not before, once it is as it should be.
fn settled(before: &[Finding], good: impl Fn(&[Finding]) -> bool) -> Result<Vec<Finding>> {
    let mut seen = Vec::new();
    let waited = until_some("doctor to tell what is", seconds(60), || {
        seen = doctor::node().ok()?;
        seen.retain(|finding| !before.contains(finding));
        good(&seen).then(|| seen.clone())
    });
    match waited {
        Ok(new) => Ok(new),
        Err(error) => bail!("{error:#}; it tells {seen:#?}"),
    }
}

fn same(found: &[Finding], told: &[(&str, String)]) -> bool {
    found.len() == told.len() && told.iter().all(|told| found.iter().any(|finding| finding.is(told)))
}

fn all(stage: &mut Stage<'_>, table: &[Broken<'_>]) -> Result<()> {
    table.iter().try_for_each(|broken| broken.is_told_and_mended(stage))
}

const START_PLUGIN: Step<'_> = Do(|stage| stage.node.agent.start_plugin());
const KILL_PLUGIN: Step<'_> = Do(|stage| stage.node.agent.kill_plugin());
const RESTART_PLUGIN: Step<'_> = Do(|stage| {
    stage.node.agent.stop_plugin()?;
    stage.node.agent.start_plugin()
});

const START_SWITCH: Step<'_> = Do(|stage| stage.node.switch.start_vswitchd());
const STOP_SWITCH: Step<'_> = Do(|stage| stage.node.switch.stop_vswitchd());
const KILL_SWITCH: Step<'_> = Do(|stage| stage.node.switch.kill_vswitchd());
/// `systemctl restart openvswitch-switch`.
const RESTART_SWITCH: Step<'_> = Do(|stage| {
    stage.node.switch.stop_vswitchd()?;
    stage.node.switch.start_vswitchd()
});

/// Every hugepage that nobody has, as by a VM.
const TAKE_HUGEPAGES: Step<'_> = Shell(
    "free=$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)
     fallocate --length $((free * 2))MiB /run/huge/taken",
);
/// "A VM less."
const FREE_HUGEPAGES: Step<'_> = Shell("rm /run/huge/taken");

fn no_hugepages() -> Result<(&'static str, String)> {
    let total = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")?;
    let place = format!("/sys/kernel/mm/hugepages/*/free_hugepages: 0 of {}", total.trim());
    Ok(("hugepages-used-up", place))
}

/// Of a device's port.
fn port_of(id: &str) -> Result<String> {
    Ok(id.parse::<DeviceId>()?.port_name())
}
