//! Running the binary to its end, with an empty environment and files of the test's own.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_network-vhostuser-binding");

/// The most that one run may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A directory with the files that a test names.
pub struct Files(TempDir);

impl Files {
    /// `vmi`, `domain` and `network-info`.
    pub fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("vmi", crate::VMI);
        files.write("domain", crate::DOMAIN);
        files.write("network-info", crate::NETWORK_INFO);
        files
    }

    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// `render` with these files, in their directory.
    pub fn render(&self) -> Run {
        Run::new("render")
            .arg("--vmi=vmi")
            .arg("--domain=domain")
            .arg("--network-info=network-info")
            .dir(self.dir())
    }
}

/// A run to be.
pub struct Run(Command);

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn new(subcommand: &str) -> Self {
        Self::of(BINARY, subcommand)
    }

    /// The same of another binary.
    pub fn of(binary: &str, subcommand: &str) -> Self {
        let mut command = Command::new(binary);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if !subcommand.is_empty() {
            command.arg(subcommand);
        }
        Self(command)
    }

    pub fn arg(mut self, argument: &str) -> Self {
        self.0.arg(argument);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.0.current_dir(dir);
        self
    }

    pub fn outcome(mut self) -> Outcome {
        let mut child = self.0.spawn().unwrap();
        let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let code = wait(&mut child);
        Outcome { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }
}

/// Reads a pipe to its end on its own thread, so that neither side blocks.
fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.unwrap().read_to_string(&mut text).unwrap();
        text
    })
}

fn wait(child: &mut Child) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the program does not end");
        }
        sleep(Duration::from_millis(5));
    }
}

/// Printed, with exit code 0 and nothing on standard error.
pub fn printed(stdout: impl Into<String>) -> Outcome {
    Outcome { code: Some(0), stdout: stdout.into(), stderr: String::new() }
}

/// Nothing printed, this exit code, this on standard error.
pub fn failed(code: i32, stderr: &str) -> Outcome {
    Outcome { code: Some(code), stdout: String::new(), stderr: format!("{stderr}\n") }
}
