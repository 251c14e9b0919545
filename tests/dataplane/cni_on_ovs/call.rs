//! One call of the plugin as a container runtime makes it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::lab::{INFO, ROOT};

pub(crate) const BINARY: &str = "/opt/cni/bin/vhostuser";

/// Well above every `timeout` that the cases set.
const LONGEST: Duration = Duration::from_secs(30);

/// Text that a pattern leaves open.
const ANY: &str = "…";

/// Where runtimes keep network namespaces.
pub(crate) const SANDBOXES: &str = "/run/netns";

/// The container has a sandbox: nothing more of it is looked at than whether it is there.
fn begin_sandbox(container: &str) {
    let made = fs::create_dir_all(SANDBOXES);
    let _ = made.and_then(|()| fs::write(Path::new(SANDBOXES).join(container), ""));
}

/// It has ended, whoever called DEL.
pub(crate) fn end_sandbox(container: &str) -> Result<()> {
    fs::remove_file(Path::new(SANDBOXES).join(container)).context("the sandbox")
}

/// One attachment of one network.
#[derive(Clone)]
pub(crate) struct Call {
    variables: BTreeMap<String, String>,
    config: Value,
}

impl Call {
    /// `net1` of a container, on network `blue` and bridge `br1`, with everything that Multus adds.
    pub(crate) fn new(container: &str, device: &str) -> Self {
        let variables = [
            ("CNI_CONTAINERID", container),
            ("CNI_IFNAME", "net1"),
            ("CNI_NETNS", &format!("/var/run/netns/{container}")),
            ("CNI_ARGS", &format!("IgnoreUnknown=true;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=pod-{container}")),
            // Nobody may be found there.
            ("CNI_PATH", "/run/no-plugins"),
        ];
        let config = json!({
            "cniVersion": "1.1.0", "name": "blue", "type": "vhostuser", "bridge": "br1", "socketRoot": ROOT,
            "deviceID": device, "pciBusID": device,
            "runtimeConfig": { "CNIDeviceInfoFile": format!("{INFO}/{container}.json") },
        });
        begin_sandbox(container);
        let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self { variables: variables.map(text).into(), config }
    }

    /// With another value in the configuration.
    pub(crate) fn with(&self, key: &str, value: impl Into<Value>) -> Self {
        let mut call = self.clone();
        call.config[key] = value.into();
        call
    }

    /// With another variable.
    pub(crate) fn variable(&self, name: &str, value: &str) -> Self {
        let mut call = self.clone();
        call.variables.insert(name.to_owned(), value.to_owned());
        call
    }

    pub(crate) fn add(&self) -> Result<Answer> {
        self.run("ADD")
    }

    pub(crate) fn del(&self) -> Result<Answer> {
        self.run("DEL")
    }

    pub(crate) fn check(&self, result: &Value) -> Result<Answer> {
        self.with("prevResult", result.clone()).run("CHECK")
    }

    /// Only the attachments of these containers are in use.
    pub(crate) fn gc(&self, containers: &[&str]) -> Result<Answer> {
        let list = containers.iter().map(|id| json!({ "containerID": id, "ifname": "net1" }));
        self.with("cni.dev/valid-attachments", list.collect::<Value>()).run("GC")
    }

    pub(crate) fn run(&self, command: &str) -> Result<Answer> {
        self.start(command)?.answer()
    }

    /// Starts it, with no variables but the specification's: there is no `PATH`.
    pub(crate) fn start(&self, command: &str) -> Result<Running> {
        self.start_in(Command::new(BINARY), command)
    }

    /// The same, with another program that becomes it.
    pub(crate) fn start_in(&self, mut program: Command, command: &str) -> Result<Running> {
        let started = Instant::now();
        program.env_clear().envs(&self.variables).env("CNI_COMMAND", command);
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = program.spawn().context(BINARY)?;
        // One that ends without reading has its reasons.
        let _ =
            child.stdin.take().context("its standard input")?.write_all(self.config.to_string().as_bytes());
        Ok(Running { child, started, call: format!("{command} {}", self.variables["CNI_CONTAINERID"]) })
    }
}

pub(crate) struct Running {
    child: Child,
    started: Instant,
    call: String,
}

impl Running {
    /// Waits for its end; the plugin has a deadline of its own, which the cases hold it to.
    pub(crate) fn answer(self) -> Result<Answer> {
        let output = self.child.wait_with_output()?;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).context("an answer is text");
        let (stdout, stderr) = (text(output.stdout)?, text(output.stderr)?);
        Ok(Answer { status: output.status, stdout, stderr, took: self.started.elapsed(), call: self.call })
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    pub(crate) took: Duration,
    call: String,
}

impl Answer {
    /// Success, one line of JSON, and not a word beside it.
    pub(crate) fn result(&self) -> Result<Value> {
        ensure!(self.status.success() && self.stderr.is_empty(), "{}", self.shown());
        self.line()
    }

    /// The same, with this on standard error.
    pub(crate) fn result_with(&self, note: &str) -> Result<Value> {
        ensure!(self.status.success() && self.stderr == format!("{note}\n"), "{}", self.shown());
        self.line()
    }

    /// Success without a word.
    pub(crate) fn done(&self) -> Result<()> {
        let silent = self.stdout.is_empty() && self.stderr.is_empty();
        ensure!(self.status.success() && silent, "{}", self.shown());
        Ok(())
    }

    /// Failure with this code and this message, in which `…` stands for any text; nothing else was said.
    pub(crate) fn refused(&self, code: u64, message: &str) -> Result<()> {
        ensure!(self.status.code() == Some(1) && self.stderr.is_empty(), "{}", self.shown());
        let error = self.line()?;
        let text = error["msg"].as_str().unwrap_or_default();
        ensure!(
            error["code"] == code && like(message, text),
            "should be {code}, {message:?}: {}",
            self.shown()
        );
        let fields: Vec<_> = error.as_object().into_iter().flat_map(|error| error.keys()).collect();
        ensure!(fields == ["cniVersion", "code", "msg"], "more is told: {}", self.shown());
        Ok(())
    }

    /// The same, with what could not be undone.
    pub(crate) fn refused_with(&self, code: u64, message: &str, details: &str) -> Result<()> {
        let error = self.line()?;
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        let fits = error["code"] == code && like(message, &text("msg")) && like(details, &text("details"));
        ensure!(
            fits && !self.status.success(),
            "should be {code}, {message:?}, {details:?}: {}",
            self.shown()
        );
        Ok(())
    }

    /// It was killed before it could say anything.
    pub(crate) fn killed(&self) -> Result<()> {
        ensure!(self.status.signal() == Some(9) && self.stdout.is_empty(), "{}", self.shown());
        Ok(())
    }

    /// It did not hang: a busy machine adds some seconds to the plugin's own limit, a hung server adds minutes.
    pub(crate) fn in_time(&self) -> Result<&Self> {
        ensure!(self.took < LONGEST, "it took {} ms: {}", self.took.as_millis(), self.shown());
        Ok(self)
    }

    fn line(&self) -> Result<Value> {
        let one = self.stdout.ends_with('\n') && self.stdout.lines().count() == 1;
        ensure!(one, "not one line: {}", self.shown());
        serde_json::from_str(&self.stdout).with_context(|| self.shown())
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.status.success()
    }

    pub(crate) fn shown(&self) -> String {
        format!("{}: {}, said {:?} and {:?}", self.call, self.status, self.stdout, self.stderr)
    }
}

/// Whether a text has the pattern's parts in their order, from its first to its last letter.
fn like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once(ANY) else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split(ANY).collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, after)) = text.split_once(part) else { return false };
        text = after;
    }
    text.ends_with(end)
}
