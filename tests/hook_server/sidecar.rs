//! A running sidecar: its calls, its log, its end.

use std::{
    fs::{self, File},
    future::Future,
    path::PathBuf,
    process::Stdio,
    sync::OnceLock,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use launcher_sim::Client;

/// The most that one test may take.
const TEST: Duration = Duration::from_secs(40);

/// The most that a start or an end may take on a busy machine, where the test is not about it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Set for the copy of this program that runs one test in a network namespace of its own.
const INSIDE: &str = "HOOK_SERVER_TEST_HAS_ITS_NETWORK";

/// Runs a test with a deadline.
pub async fn limited<T>(test: impl Future<Output = T>) -> T {
    timeout(TEST, test).await.expect("the test ends in time")
}

/// Polls until the condition holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "still not: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

pub struct Sidecar {
    child: Child,
    log: PathBuf,
}

impl Sidecar {
    pub fn spawn(mut command: Command, log: PathBuf) -> Self {
        let stderr = File::create(&log).unwrap();
        Self::spawn_onto(&mut command, stderr.into(), log)
    }

    /// With a standard error that nobody reads any more: every write fails.
    pub fn spawn_unheard(mut command: Command, log: PathBuf) -> Self {
        File::create(&log).unwrap();
        let mut sidecar = Self::spawn_onto(&mut command, Stdio::piped(), log);
        drop(sidecar.child.stderr.take());
        sidecar
    }

    /// With a standard error that is open, full and read by nobody yet.
    pub fn spawn_unread(mut command: Command, log: PathBuf) -> (Self, File) {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let full = vec![b'#'; rustix::pipe::fcntl_getpipe_size(&writer).unwrap()];
        assert_eq!(rustix::io::write(&writer, &full).unwrap(), full.len());
        File::create(&log).unwrap();
        (Self::spawn_onto(&mut command, writer.into(), log), reader.into())
    }

    fn spawn_onto(command: &mut Command, stderr: Stdio, log: PathBuf) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("the sidecar can be started");
        Self { child, log }
    }

    /// Waits until it says that it serves hooks.
    pub async fn serving(&mut self) {
        self.saying("serving hooks").await;
    }

    /// Waits until its log has this message.
    pub async fn saying(&mut self, message: &str) {
        let started = Instant::now();
        while self.find(message).is_none() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the sidecar ended with {ended:?}: {}", self.stderr());
            assert!(started.elapsed() < PATIENCE, "the sidecar does not serve: {}", self.stderr());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Where it says it serves.
    pub fn socket(&self) -> PathBuf {
        let line = self.find("serving hooks").expect("it serves");
        PathBuf::from(line["socket"].as_str().unwrap())
    }

    pub fn client(&self) -> Client {
        Client::new(self.socket())
    }

    /// All that is on standard error.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The log's events so far; a line that is still being written is left out.
    pub fn events(&self) -> Vec<Value> {
        let log = self.stderr();
        let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
    }

    /// The events with this message.
    pub fn find_all(&self, message: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["message"] == message).collect()
    }

    fn find(&self, message: &str) -> Option<Value> {
        self.find_all(message).into_iter().next()
    }

    fn pid(&self) -> Pid {
        self.child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap())).expect("it runs")
    }

    /// The most memory that it has had resident so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// From now on it cannot open anything, or it can again.
    pub fn may_open(&self, open: bool) {
        let ours = getrlimit(Resource::Nofile);
        let current = if open { ours.current } else { Some(1) };
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current, maximum: ours.maximum }).unwrap();
    }

    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its exit code, and how long that took from now.
    pub async fn exit(&mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("the sidecar does not end: {}", self.stderr()));
        (status.unwrap().code(), started.elapsed())
    }
}

/// The program in a network namespace of its own, as a pod has it, where that can be made.
pub fn own_network(program: &str) -> Command {
    let mut command = match unshare() {
        Some(arguments) if std::env::var_os(INSIDE).is_none() => {
            let mut command = Command::new("unshare");
            command.args(arguments).arg(program);
            command
        }
        _ => return Command::new(program),
    };
    command.kill_on_drop(true);
    command
}

/// The arguments with which `unshare` works for this user.
fn unshare() -> Option<&'static [&'static str]> {
    static FOUND: OnceLock<Option<&[&str]>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let ways: [&[&str]; 2] = [&["--net", "--"], &["--map-root-user", "--net", "--"]];
        ways.into_iter().find(|way| {
            let mut probe = std::process::Command::new("unshare");
            probe.args(*way).arg("true").stderr(Stdio::null());
            probe.status().is_ok_and(|status| status.success())
        })
    })
}

/// True in a copy of this program that has a network namespace to itself; the sidecars it starts share it. Outside,
/// runs that copy for the test of this name. Where no namespace can be made, says so and leaves the test out.
pub async fn in_own_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if unshare().is_none() {
        eprintln!("left out: {test} needs a network namespace (root, or unprivileged user namespaces)");
        return false;
    }
    let this = std::env::current_exe().unwrap();
    let mut copy = own_network(this.to_str().unwrap());
    copy.args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = timeout(TEST, copy.output()).await.expect("the copy ends in time").unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("1 passed"), "no test of the name {test}: {stdout}");
    false
}
