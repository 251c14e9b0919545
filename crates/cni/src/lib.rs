//! The CNI plugin: what Multus calls to plug a pod's vhost-user port into a bridge of OVS-DPDK.
//!
//! ```text
//!  CNI_… variables          standard input           device-info, device's directory      OVSDB
//!    │                        │                        │                                    │ one look
//!    ▼                        ▼                        ▼                                    ▼
//!  environment::Environment  config::{Network, Nic}   device                              found::Found
//!    │                        runtime::Runtime         │                                    │
//!    └───────────┬────────────┘ (asked::Asked)         │                                    │
//!                ▼                         └───────────┴► port::Wish ──► decide::decide ◄───┘       pure
//!   add · check · del · gc · status                                        │
//!                                             one transaction, wait for ovs-vswitchd, files        (IO)
//!                                                                          ▼
//!                                                           result::Interface, or error::Failure
//! ```
//!
//! State is in OVSDB, as marks on the ports ([`ids`]): a crash at any step leaves what DEL or GC finds again. The record
//! beside the device is only for plugging the port again where the database is lost.

mod add;
mod asked;
mod call;
mod check;
pub mod clock;
pub mod config;
pub mod decide;
mod del;
pub mod device;
pub mod environment;
pub mod error;
mod files;
pub mod found;
mod gc;
pub mod ids;
pub mod ipam;
pub mod limit;
pub mod port;
mod remove;
pub mod result;
pub mod runtime;
mod status;
pub mod switch;
pub mod version;
pub mod vlan;

use std::{
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};

use call::Call;
use environment::{Environment, Request, Variables};
use error::{CniError, Failure};
use version::Version;
use vocabulary::device_info;

/// What the program is to say, and how it is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// For standard output: a result, an error, or nothing.
    pub stdout: String,
    /// For standard error: lines for the runtime's log.
    pub stderr: String,
    /// Whether the command succeeded.
    pub success: bool,
}

/// Carries out one command. Its time counts from `started`.
pub fn run(variables: Variables, stdin: io::Result<Vec<u8>>, started: Instant) -> Answer {
    match stdin {
        Ok(stdin) => run_with(variables, &stdin, started, Path::new(device_info::DEVICE_PLUGIN_DIR)),
        Err(error) => {
            let path = PathBuf::from("standard input");
            Answer::of(&CniError::Io { path, action: "cannot be read", error }.into(), Version::V1_1_0)
        }
    }
}

/// The same with another directory for the device plugins' files.
fn run_with(variables: Variables, stdin: &[u8], started: Instant, plugin_dir: &Path) -> Answer {
    let mut version = Version::V1_1_0;
    match carry_out(variables, stdin, started, plugin_dir, &mut version) {
        Ok((result, notes)) => {
            let stdout = result.map(|result| format!("{result}\n")).unwrap_or_default();
            let stderr = notes.iter().map(|note| format!("{note}\n")).collect();
            Answer { stdout, stderr, success: true }
        }
        Err(failure) => Answer::of(&failure, version),
    }
}

impl Answer {
    fn of(failure: &Failure, version: Version) -> Self {
        let stdout = format!("{}\n", failure.json(version));
        Self { stdout, stderr: String::new(), success: false }
    }
}

type Done = (Option<Value>, Vec<String>);

fn carry_out(
    variables: Variables,
    stdin: &[u8],
    started: Instant,
    plugin_dir: &Path,
    version: &mut Version,
) -> Result<Done, Failure> {
    let environment = Environment::parse(variables)?;
    if environment.request == Request::Version {
        return Ok((Some(versions(stdin)), Vec::new()));
    }
    let config = config::decode(stdin)?;
    *version = config::version(&config)?;
    check_version(&environment.request, *version)?;
    let call =
        Call { environment: &environment, config: &config, stdin, version: *version, started, plugin_dir };
    let silent = |()| (None, Vec::new());
    Ok(match &environment.request {
        Request::Add(target) => {
            let (result, notes) = add::add(&call, target)?;
            (Some(result), notes)
        }
        Request::Check(target) => check::check(&call, target).map(silent)?,
        Request::Del(target) => (None, del::del(&call, &target.attachment)?),
        Request::Gc => (None, gc::gc(&call)?),
        Request::Status => status::status(&call).map(silent)?,
        Request::Version => (None, Vec::new()),
    })
}

/// The first version that has a command.
fn check_version(request: &Request, version: Version) -> Result<(), CniError> {
    let (command, least) = match request {
        Request::Check(_) => ("CHECK", Version::V0_4_0),
        Request::Gc => ("GC", Version::V1_1_0),
        Request::Status => ("STATUS", Version::V1_1_0),
        Request::Add(_) | Request::Del(_) | Request::Version => return Ok(()),
    };
    if version < least { Err(CniError::TooOld { command, least, version }) } else { Ok(()) }
}

fn versions(stdin: &[u8]) -> Value {
    let config: Value = serde_json::from_slice(stdin).unwrap_or_default();
    let asked = config["cniVersion"].as_str().and_then(Version::parse);
    let all = Version::ALL.map(Version::as_str);
    json!({ "cniVersion": asked.unwrap_or(Version::V1_1_0).as_str(), "supportedVersions": all })
}

#[cfg(test)]
mod tests;
