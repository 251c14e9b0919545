//! A running device plugin: its log, its pages, its end.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

/// The most that anything may take on a busy machine, where the test is not about it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until the condition holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "still not: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

pub struct Plugin {
    child: Child,
    log: PathBuf,
}

impl Plugin {
    pub fn start(arguments: &[&str], log: &Path) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_vhostuser-device-plugin"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .expect("the plugin can be started");
        Self { child, log: log.to_owned() }
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&mut self) {
        let started = Instant::now();
        loop {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the plugin ended with {ended:?}: {}", self.stderr());
            if self.address().is_some() && self.get("/readyz").0 == 200 {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the plugin is not ready: {}", self.stderr());
            sleep(Duration::from_millis(5)).await;
        }
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

    /// Where its pages are, once it has said so.
    pub fn address(&self) -> Option<SocketAddr> {
        let listening = self.events().into_iter().find(|event| event["message"] == "listening")?;
        let mut address: SocketAddr = listening["address"].as_str().unwrap().parse().unwrap();
        if address.ip().is_unspecified() {
            let loopbacks =
                ["::1", "127.0.0.1"].map(|ip| SocketAddr::new(ip.parse().unwrap(), address.port()));
            address = loopbacks.into_iter().find(|loopback| TcpStream::connect(loopback).is_ok())?;
        }
        Some(address)
    }

    /// Status and body of a page.
    pub fn get(&self, path: &str) -> (u16, String) {
        get(self.address().expect("it listens"), path)
    }

    /// The value of a metric, by its name and labels without the common beginning.
    pub fn metric(&self, name: &str) -> u64 {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200);
        let start = format!("vhostuser_device_plugin_{name} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&start));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    fn pid(&self) -> Pid {
        self.child.id().and_then(|id| Pid::from_raw(id.try_into().unwrap())).expect("it runs")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Its exit code; none if a signal ended it.
    pub async fn exit(&mut self) -> Option<i32> {
        let status = timeout(PATIENCE, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("the plugin does not end: {}", self.stderr()));
        status.unwrap().code()
    }

    /// SIGKILL.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub async fn kill_when_ready(mut self) {
        self.ready().await;
        self.kill().await;
    }

    /// SIGTERM, and a good end.
    pub async fn stop(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.exit().await, Some(0), "{}", self.stderr());
    }
}

/// Status and body of a page.
pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}
