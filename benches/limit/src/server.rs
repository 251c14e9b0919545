//! A server of hooks, ours or the bare one, counted call by call.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use launcher_sim::Client;
use tempfile::TempDir;

use crate::{Counts, callgrind::Counted, inputs};

/// Calls that are counted together. The first of each kind is not: it grows buffers.
const CALLS: u64 = 10;

/// Under callgrind a program is about fifty times slower, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where the programs are.
pub(crate) struct Programs {
    sidecar: PathBuf,
    bare: PathBuf,
    /// The pure path as a program.
    pub(crate) pure: PathBuf,
}

impl Programs {
    /// Those that `make build count` has put there.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self> {
        let program =
            |name: &str| folder.join(name).canonicalize().with_context(|| format!("{name}: build it first"));
        Ok(Self {
            sidecar: program("network-vhostuser-binding")?,
            bare: program("bare")?,
            pure: program("pure")?,
        })
    }
}

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Parses both inputs, and nothing else.
    Bare,
    /// Ours.
    Sidecar,
}

impl Kind {
    /// How its counts begin.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Sidecar => "sidecar",
        }
    }
}

/// What is not counted in instructions.
pub(crate) struct Measured {
    /// Bytes of resident memory after the start and one `Info`.
    pub(crate) resident: u64,
}

/// A directory for one server.
struct Place {
    dir: TempDir,
    kind: Kind,
}

impl Place {
    fn new(kind: Kind) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("network-info"), inputs::NETWORK_INFO)?;
        Ok(Self { dir, kind })
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("vhostuser-hook-sidecar-0.sock")
    }

    fn program<'p>(&self, programs: &'p Programs) -> &'p Path {
        match self.kind {
            Kind::Bare => &programs.bare,
            Kind::Sidecar => &programs.sidecar,
        }
    }

    fn arguments(&self) -> Vec<String> {
        let dir = self.dir.path().display();
        match self.kind {
            Kind::Bare => vec![self.socket().display().to_string()],
            Kind::Sidecar => vec![
                format!("--hook-dir={dir}"),
                "--container-name=hook-sidecar-0".to_owned(),
                format!("--network-info={dir}/network-info"),
                format!("--dra-dir={dir}"),
            ],
        }
    }
}

/// Counts everything that one kind of server does.
pub(crate) async fn measure(kind: Kind, programs: &Programs, counts: &mut Counts) -> Result<Measured> {
    let place = Place::new(kind)?;
    let mut process = Counted::start(place.program(programs), &place.arguments(), place.dir.path())?;
    let client = Client::new(place.socket());
    answering(&place.socket(), &client, || process.has_ended()).await?;
    let mut count =
        |what: String, instructions: u64| counts.insert(format!("{}: {what}", kind.name()), instructions);
    count("start to the first Info".to_owned(), process.instructions()?);

    for _ in 0..CALLS {
        client.info().await?;
    }
    count("Info, new connection".to_owned(), process.instructions()? / CALLS);
    for (name, domain) in inputs::domains() {
        let mut session = client.connect().await?;
        session.on_define_domain(domain.as_str(), inputs::VMI).await?;
        process.instructions()?;
        for _ in 0..CALLS {
            session.on_define_domain(domain.as_str(), inputs::VMI).await?;
        }
        count(format!("OnDefineDomain, {name}, reused connection"), process.instructions()? / CALLS);
        drop(session);
        process.instructions()?;
        for _ in 0..CALLS {
            client.on_define_domain(domain.as_str(), inputs::VMI).await?;
        }
        count(format!("OnDefineDomain, {name}, new connection"), process.instructions()? / CALLS);
    }
    Ok(Measured { resident: resident(kind, programs).await? })
}

/// Waits until it answers `Info`; a look at a missing socket costs the program nothing.
async fn answering(
    socket: &Path,
    client: &Client,
    mut has_ended: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !socket.exists() {
        ensure!(!has_ended()?, "the server ended");
        ensure!(Instant::now() < deadline, "no socket");
        sleep(Duration::from_millis(5));
    }
    loop {
        match client.info().await {
            Ok(_) => return Ok(()),
            Err(status) => ensure!(Instant::now() < deadline, "Info: {status}"),
        }
    }
}

/// Resident memory of the program by itself, without callgrind.
async fn resident(kind: Kind, programs: &Programs) -> Result<u64> {
    let place = Place::new(kind)?;
    let mut command = Command::new(place.program(programs));
    command.env_clear().args(place.arguments()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let client = Client::new(place.socket());
    let answered = answering(&place.socket(), &client, || Ok(child.try_wait()?.is_some())).await;
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
    child.kill()?;
    child.wait()?;
    answered?;
    let status = status?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
