//! `make count`: what the programs cost in instructions, by callgrind, beside the least that a server of hooks can cost.
//! Instructions are the same on a busy machine; times are not.
//!
//! `limit PROGRAMS [--accept]`: `PROGRAMS` is the folder with the static programs. The counts of the last accepted run
//! are in `counts.json`. A count that has grown by more than its limit fails, unless the toolchain or the CPU's
//! features are others: then it is only reported.

#![allow(clippy::print_stdout)]

mod baseline;
mod callgrind;
mod inputs;
mod server;

use std::{collections::BTreeMap, env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};

use baseline::Baseline;
use server::{Kind, Measured, Programs};

/// Instructions, by what they were counted for.
type Counts = BTreeMap<String, u64>;

fn main() -> Result<ExitCode> {
    let mut arguments: Vec<_> = env::args().skip(1).collect();
    let accept = arguments.iter().position(|argument| argument == "--accept");
    accept.map(|at| arguments.remove(at));
    let folder = PathBuf::from(arguments.first().context("usage: limit PROGRAMS [--accept]")?);
    let programs = Programs::in_folder(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut counts = Counts::new();
    let mut measured = Vec::new();
    for kind in [Kind::Bare, Kind::Sidecar] {
        measured.push(runtime.block_on(server::measure(kind, &programs, &mut counts))?);
    }
    callgrind::pure(&programs.pure, &mut counts)?;
    report(&counts, &measured);
    Baseline::of_this_machine(counts)?.judge(accept.is_some())
}

/// Each count of the sidecar beside the bare server's.
fn report(counts: &Counts, measured: &[Measured]) {
    println!("{:52} {:>12} {:>12} {:>6}", "instructions", "sidecar", "bare", "ratio");
    for (name, count) in counts.iter().filter(|(name, _)| !name.starts_with(Kind::Bare.name())) {
        let what = name.split_once(": ").map_or(name.as_str(), |(_, what)| what);
        match counts.get(&format!("{}: {what}", Kind::Bare.name())) {
            Some(bare) => println!("{name:52} {count:12} {bare:12} {:6.2}", ratio(*count, *bare)),
            None => println!("{name:52} {count:12}"),
        }
    }
    if let [bare, sidecar] = measured {
        let ratio = ratio(sidecar.resident, bare.resident);
        println!("{:52} {:12} {:12} {ratio:6.2}", "resident bytes, idle", sidecar.resident, bare.resident);
    }
}

#[allow(clippy::cast_precision_loss)]
fn ratio(ours: u64, theirs: u64) -> f64 {
    ours as f64 / theirs as f64
}
