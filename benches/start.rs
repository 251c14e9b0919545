//! From exec to the first answer.
//!
//! A copy of this program joins the control group, says when it is and becomes the sidecar, so that neither the
//! fork nor the joining counts.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    os::unix::{net::UnixStream, process::CommandExt},
    process::{self, Command, Stdio},
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::runtime::Runtime;

use super::{cpu_limit::CpuLimit, sidecar};

/// The argument that makes this program become the sidecar.
pub const EXEC: &str = "--become";

/// Time between two attempts to connect.
const POLL: Duration = Duration::from_micros(50);

/// Longer than a period of the limit, so that each start has a whole quota.
const REST: Duration = Duration::from_millis(110);

/// Joins the group of the first argument (`-` for none), prints the time and becomes the rest.
pub fn exec(arguments: &[OsString]) -> ! {
    let [members, program, rest @ ..] = arguments else { panic!("a group and a program") };
    if members != "-" {
        fs::write(members, process::id().to_string()).unwrap();
        sleep(REST);
    }
    println!("{}", now().as_nanos());
    panic!("{}", Command::new(program).args(rest).exec());
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Starts the sidecar so many times.
pub fn times(runtime: &Runtime, starts: usize, limit: Option<&CpuLimit>) -> Vec<Duration> {
    // The first start warms the caches.
    (0..=starts).map(|_| time(runtime, limit)).skip(1).collect()
}

fn time(runtime: &Runtime, limit: Option<&CpuLimit>) -> Duration {
    let pod = sidecar::Pod::new();
    let sidecar = pod.command(&sidecar::binary());
    let mut child = Command::new(env::current_exe().unwrap())
        .arg(EXEC)
        .arg(limit.map_or_else(|| "-".into(), CpuLimit::members))
        .arg(sidecar.get_program())
        .args(sidecar.get_args())
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let started = Duration::from_nanos(line.trim().parse().unwrap());
    while UnixStream::connect(pod.socket()).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "the sidecar ended");
        sleep(POLL);
    }
    runtime.block_on(pod.client().info()).unwrap();
    let took = now().saturating_sub(started);
    child.kill().unwrap();
    child.wait().unwrap();
    took
}
