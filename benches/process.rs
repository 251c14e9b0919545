//! A running sidecar, and what the kernel says of it.

use std::{
    fs,
    process::{Child, Stdio},
    thread::sleep,
    time::Duration,
};

use tokio::runtime::Runtime;

use super::{
    inputs,
    sidecar::{Pod, binary},
};

/// Linux counts processor time in these for everybody, whatever its own clock is.
const TICKS_IN_A_SECOND: u32 = 100;

pub struct Sidecar<'r> {
    runtime: &'r Runtime,
    pod: Pod,
    child: Child,
}

impl<'r> Sidecar<'r> {
    /// Started, and asked for its `Info`.
    pub fn start(runtime: &'r Runtime) -> Self {
        let pod = Pod::new();
        let mut child = pod.command(&binary()).stderr(Stdio::null()).spawn().unwrap();
        while !pod.socket().exists() {
            assert!(child.try_wait().unwrap().is_none(), "the sidecar ended");
            sleep(Duration::from_millis(1));
        }
        runtime.block_on(pod.client().info()).unwrap();
        Self { runtime, pod, child }
    }

    /// Calls of `OnDefineDomain`, each on a new connection.
    pub fn calls(&self, count: u32, domain: &str) {
        let client = self.pod.client();
        for _ in 0..count {
            let answer = self.runtime.block_on(client.on_define_domain(domain, inputs::VMI));
            assert!(answer.unwrap().contains("ua-dpdk1"));
        }
    }

    /// What each of so many calls costs the sidecar, the kernel's work on its behalf included.
    pub fn processor_time_of_calls(&self, count: u32, domain: &str) -> Duration {
        let before = self.processor_time();
        self.calls(count, domain);
        (self.processor_time() - before) / count
    }

    /// Bytes of resident memory, shared pages included.
    pub fn resident(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn processor_time(&self) -> Duration {
        let stat = self.read("stat");
        // The program's name, in parentheses, may have spaces in it.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        let ticks: u32 = fields[11..13].iter().map(|field| field.parse::<u32>().unwrap()).sum();
        Duration::from_secs(1) * ticks / TICKS_IN_A_SECOND
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }

    pub fn shut_down(mut self) {
        self.runtime.block_on(self.pod.client().shutdown()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}
