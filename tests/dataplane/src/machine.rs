//! Outside the namespaces: may this machine run the test, what does it lend, and is all of it given back?

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FlockOperation, flock};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::inside::RESULT;
use crate::process;
use crate::suite::Suite;
use crate::wait::seconds;

/// OVS's packet buffers.
const HUGEPAGES_OF_OVS: u64 = 384;
/// A guest on each side of a migration.
const HUGEPAGES_OF_GUESTS: u64 = 2 * 128;
const NR_HUGEPAGES: &str = "/proc/sys/vm/nr_hugepages";
/// The machine's own number, in case a run is killed before it can give the pages back.
const NR_HUGEPAGES_BEFORE: &str = "/run/vhostuser-dataplane.nr_hugepages";

pub fn run(suite: &Suite, filters: &[String]) -> ExitCode {
    let started = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    let mut count = |name: &str, result: Result<()>| match result {
        Ok(()) => {
            passed += 1;
            println!("ok   {name}");
        }
        Err(error) => {
            failed += 1;
            println!("FAIL {name}: {error:#}");
        }
    };
    match run_inside(suite, filters) {
        Ok(Outcome { tests: Some((inner_passed, inner_failed)), left_behind, logs }) => {
            count("nothing_is_left_behind", left_behind);
            passed += inner_passed;
            failed += inner_failed;
            println!("logs: {}", logs.display());
        }
        Ok(Outcome { tests: None, left_behind, logs }) => {
            count("nothing_is_left_behind", left_behind);
            failed += 1;
            println!("FAIL the tests ended before their report; logs: {}", logs.display());
        }
        // Never skipped: where this cannot run, the product is unproven.
        Err(error) => count("this_machine_can_run_the_dataplane", Err(error)),
    }
    println!("{}: {:.0} s in all", suite.name, started.elapsed().as_secs_f64());
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0 || passed == 0))
}

struct Outcome {
    /// Passed and failed, unless the process inside died.
    tests: Option<(usize, usize)>,
    left_behind: Result<()>,
    logs: PathBuf,
}

fn run_inside(suite: &Suite, filters: &[String]) -> Result<Outcome> {
    ensure!(rustix::process::geteuid().is_root(), "run as root: it makes namespaces, mounts and hugepages");
    let root = installed_root(suite)?;
    let _lock = lock(root.parent().unwrap_or(&root))?;
    give_hugepages_back()?;
    process::run(seconds(60), &["unshare", "--mount", "--net", "--pid", "--fork", "true"])
        .context("this machine refuses new namespaces")?;
    let logs = empty_log_dir(&root, suite)?;

    let before = Traces::now(&root)?;
    let hugepages = Hugepages::lend(suite)?;
    let status = enter(&root, &logs, filters);
    drop(hugepages);
    let left_behind = Traces::now(&root)?.same_as(&before);
    println!("the node ended: {}", status?);
    Ok(Outcome { tests: read_result(&logs), left_behind, logs })
}

/// Two runs would take each other's hugepages.
fn lock(dir: &Path) -> Result<File> {
    let file = File::open(dir)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).context("another run is going on")?;
    Ok(file)
}

/// The folder that the set-up script makes.
fn installed_root(suite: &Suite) -> Result<PathBuf> {
    let setting = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let dir = setting("DATAPLANE_DIR", "/var/tmp/vhostuser-dataplane");
    let root = Path::new(&dir).join(setting("DATAPLANE_STACK", "trixie"));
    let needed: &[&str] =
        if suite.guests { &[".complete", "guest/initramfs.gz"] } else { &[".switch-complete"] };
    let complete = needed.iter().all(|file| root.join(file).exists());
    ensure!(complete, "{} is not installed: run tests/dataplane/setup.sh", root.display());
    Ok(root)
}

fn empty_log_dir(root: &Path, suite: &Suite) -> Result<PathBuf> {
    let logs = root.with_extension(format!("{}.logs", suite.name));
    let _ = fs::remove_dir_all(&logs);
    fs::create_dir_all(&logs)?;
    Ok(logs)
}

/// Runs the driver as PID 1 of a namespace of its own. If this process dies, however, the kernel ends that one too.
fn enter(root: &Path, logs: &Path, filters: &[String]) -> Result<ExitStatus> {
    let sources = programs::repository();
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--propagation=private",
        "--net",
        "--pid",
        "--fork",
    ]);
    command.arg("--kill-child").arg(sources.join("tests/dataplane/enter.sh"));
    let binaries =
        [std::env::current_exe()?, programs::sidecar(), programs::device_plugin(), programs::cni_plugin()];
    command.args([root, logs]).args(binaries).arg(sources.join("tests/golden")).args(filters);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut child = command.kill_on_drop(true).spawn().context("setpriv (util-linux)")?;
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let status = tokio::select! {
            status = child.wait() => Some(status?),
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
        };
        match status {
            Some(status) => Ok(status),
            None => {
                child.kill().await?;
                bail!("interrupted")
            }
        }
    })
}

fn read_result(logs: &Path) -> Option<(usize, usize)> {
    let result = fs::read_to_string(logs.join(RESULT)).ok()?;
    let (passed, failed) = result.split_once(' ')?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

/// Hugepages lent by the machine; dropping it gives them back.
struct Hugepages;

impl Hugepages {
    fn lend(suite: &Suite) -> Result<Self> {
        let needed = HUGEPAGES_OF_OVS + if suite.guests { HUGEPAGES_OF_GUESTS } else { 0 };
        let before = number(NR_HUGEPAGES)?;
        fs::write(NR_HUGEPAGES_BEFORE, before.to_string()).context(NR_HUGEPAGES_BEFORE)?;
        let lent = Self;
        let wanted = before + needed;
        let mut got = before;
        // Pages are whole only where memory is not fragmented, as by the cache of a machine that has just compiled.
        for file in ["compact_memory", "drop_caches", "compact_memory"] {
            if got < wanted {
                let _ = fs::write(Path::new("/proc/sys/vm").join(file), "1");
                fs::write(NR_HUGEPAGES, wanted.to_string()).context(NR_HUGEPAGES)?;
                got = number(NR_HUGEPAGES)?;
            }
        }
        ensure!(got >= wanted, "{needed} hugepages of 2 MiB are needed, this machine gives {}", got - before);
        Ok(lent)
    }
}

impl Drop for Hugepages {
    fn drop(&mut self) {
        if let Err(error) = give_hugepages_back() {
            println!("hugepages not given back: {error:#}");
        }
    }
}

fn give_hugepages_back() -> Result<()> {
    if let Ok(before) = fs::read_to_string(NR_HUGEPAGES_BEFORE) {
        fs::write(NR_HUGEPAGES, before.trim())?;
        fs::remove_file(NR_HUGEPAGES_BEFORE)?;
    }
    Ok(())
}

fn number(file: &str) -> Result<u64> {
    fs::read_to_string(file)?.trim().parse().with_context(|| file.to_owned())
}

/// Everything outside that a run could leave behind.
struct Traces {
    hugepages: u64,
    mounts: BTreeSet<String>,
    links: BTreeSet<String>,
    named_namespaces: BTreeSet<String>,
    /// Processes that see the installed folder as their root.
    inside: BTreeSet<String>,
}

impl Traces {
    fn now(root: &Path) -> Result<Self> {
        let (name, layer) = ("vhostuser-dataplane /", format!("lowerdir={}", root.display()));
        let is_layer = |line: &str| line.starts_with(name) && line.contains(&layer);
        let is_inside = |pid: &String| {
            fs::read_to_string(format!("/proc/{pid}/mounts")).is_ok_and(|mounts| mounts.lines().any(is_layer))
        };
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        Ok(Self {
            hugepages: number(NR_HUGEPAGES)?,
            mounts: mounts.lines().map(str::to_owned).collect(),
            links: names("/sys/class/net"),
            named_namespaces: names("/run/netns"),
            inside: names("/proc").into_iter().filter(is_inside).collect(),
        })
    }

    fn same_as(&self, before: &Self) -> Result<()> {
        ensure!(
            self.hugepages == before.hugepages,
            "nr_hugepages is {}, was {}",
            self.hugepages,
            before.hugepages
        );
        let sets = [
            ("mounts", &self.mounts, &before.mounts),
            ("network interfaces", &self.links, &before.links),
            ("network namespaces", &self.named_namespaces, &before.named_namespaces),
            ("processes", &self.inside, &before.inside),
        ];
        for (what, now, before) in sets {
            let left: Vec<_> = now.difference(before).collect();
            ensure!(left.is_empty(), "{what} left behind: {left:?}");
        }
        Ok(())
    }
}

fn names(dir: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
