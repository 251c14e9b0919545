//! What a sidecar costs: time to start, memory, processor time, size. `make bench` prints it beside what we aim at.
//!
//! Times are those of this machine at this moment: a busy one shows more.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cpu_limit;
mod inputs;
mod process;
mod sidecar;
mod start;

use std::{env, fs, time::Duration};

use cpu_limit::CpuLimit;
use process::Sidecar;
use tokio::runtime::{Builder, Runtime};

/// Starts that are timed.
const STARTS: usize = 100;

fn main() {
    let arguments: Vec<_> = env::args_os().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == start::EXEC) {
        start::exec(&arguments[place + 1..]);
    }
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let size = fs::metadata(sidecar::binary()).unwrap().len();
    println!("{}", sidecar::binary().display());
    report("size", &mib(size), "under 4.9 MiB when static and stripped");
    starts(&runtime);
    memory_and_time(&runtime);
}

fn report(what: &str, measured: &str, aim: &str) {
    println!("{what:<52} {measured:>22}   aim: {aim}");
}

#[allow(clippy::cast_precision_loss)]
fn mib(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}

fn starts(runtime: &Runtime) {
    let what = "exec to the first answer of Info, p50 / p90";
    report(what, &percentiles(start::times(runtime, STARTS, None)), "under 4 ms");
    let what = "the same with a limit of 0.2 CPU";
    match CpuLimit::new() {
        Ok(limit) => {
            report(what, &percentiles(start::times(runtime, STARTS, Some(&limit))), "under 12 ms");
        }
        Err(error) => report(what, "not measured", &format!("under 12 ms ({error})")),
    }
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e3;
    format!("{:.1} / {:.1} ms", at(50), at(90))
}

fn memory_and_time(runtime: &Runtime) {
    let sidecar = Sidecar::start(runtime);
    report("resident memory, idle", &mib(sidecar.resident()), "under 5 MiB");
    sidecar.calls(1_000, &inputs::domain(8 << 10));
    let after_1_000 = sidecar.resident();
    report("resident memory after 1,000 calls", &mib(after_1_000), "under 5 MiB");
    let small = sidecar.processor_time_of_calls(4_500, &inputs::domain(0));
    let ordinary = sidecar.processor_time_of_calls(4_500, &inputs::domain(8 << 10));
    report("resident memory after 10,000 calls", &mib(sidecar.resident()), "under 5 MiB, not growing");
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let both = format!("{:.3} / {:.3} ms", milliseconds(small), milliseconds(ordinary));
    report("its processor time for a call, 3 KiB / 8 KiB domain", &both, "under 0.15 ms");
    sidecar.shut_down();
}
