//! Runs the cases. This process is PID 1 of the node's namespaces: when it ends, everything in them ends.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use rustix::process::{WaitOptions, wait};

use crate::agent;
use crate::logs::{LOGS, explain, length, of_test};
use crate::node::{Node, Stage, note};
use crate::suite::Suite;
use crate::switch::{self, vswitchd_log};
use crate::wait::{seconds, until};

/// Where the counts are left for the process outside.
pub const RESULT: &str = "result";

/// Runs all of the suite's cases whose names contain one of `filters`, or all.
pub fn run(suite: &Suite, filters: &[String]) -> ExitCode {
    let mut tally = Tally::default();
    let (mut node, mut beside) = (None, None);
    tally.test("switch_and_peers_start", || {
        node = Some(Node::start()?);
        beside = Some((suite.beside)()?);
        note(&switch::version()?);
        Ok(())
    });
    if let Some(node) = &mut node {
        let named = |name: &str| filters.iter().any(|filter| name.contains(filter.as_str()));
        let default = suite.cases.iter().filter(|(name, _)| filters.is_empty() || named(name));
        for (name, case) in default.chain(suite.on_demand.iter().filter(|(name, _)| named(name))) {
            tally.test(name, || case(&mut Stage::new(node, name)?));
        }
    }
    drop(beside);
    tally.test("the_node_is_as_it_was", || node.take().map_or(Ok(()), Node::end));
    tally.test("every_process_was_ended_by_its_owner", no_process_is_left);
    let _ = fs::write(Path::new(LOGS).join(RESULT), format!("{} {}", tally.passed, tally.failed));
    ExitCode::from(u8::from(tally.failed > 0))
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    fn test(&mut self, name: &str, case: impl FnOnce() -> Result<()>) {
        let started = Instant::now();
        let shared = [vswitchd_log(), agent::log()].map(|log| (log.clone(), length(&log)));
        println!("test {name}");
        let result = catch_unwind(AssertUnwindSafe(case)).unwrap_or_else(|_| Err(anyhow!("panicked")));
        let took = started.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok   {name} ({took:.1} s)");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL {name} ({took:.1} s): {error:#}");
                explain(&of_test(name), &shared);
            }
        }
    }
}

/// Only this process may be left: whatever still runs was forgotten by the value that started it.
fn no_process_is_left() -> Result<()> {
    let mut left = Vec::new();
    let alone = until("all other processes to end", seconds(60), || {
        // Those whose own parent is gone are ours to reap.
        while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
        left = processes().unwrap_or_default();
        left.is_empty()
    });
    ensure!(alone.is_ok(), "still running: {}", left.join(", "));
    Ok(())
}

fn processes() -> Result<Vec<String>> {
    let entries = fs::read_dir("/proc")?.flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let others = pids.filter(|pid| *pid != 1);
    Ok(others
        .map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned())
        .collect())
}
