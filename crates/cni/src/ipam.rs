//! Addresses from an IPAM plugin, the only other program that is ever started.

mod addresses;
mod run;

use std::{io, path::PathBuf};

use serde_json::Value;

use super::{call::Call, clock::Clock, config::Network, error::CniError, ids};
pub use addresses::{Addresses, NoAddresses};
use ovs::rows::Port;
use run::{Ended, run};

/// The IPAM plugin of a network.
#[derive(Debug, Clone)]
pub struct Ipam<'c> {
    call: &'c Call<'c>,
    plugin: String,
    program: PathBuf,
}

/// What IPAM has given for a port that is there, as the port says itself.
///
/// # Errors
/// The port and the network do not agree on whether, or on what.
pub fn given(network: &Network, port: &Port) -> Result<Option<Addresses>, String> {
    match (&network.ipam, ids::ipam(&port.external_ids)) {
        (None, None) => Ok(None),
        (Some(_), Some(noted)) => match Addresses::parse(noted.as_bytes()) {
            Ok(addresses) => Ok(Some(addresses)),
            Err(problem) => Err(format!("external_ids:{} cannot be used: {problem}", ids::IPAM)),
        },
        (Some(_), None) => Err(format!("external_ids:{} is missing, which tells what IPAM gave", ids::IPAM)),
        (None, Some(_)) => {
            Err(format!("external_ids:{} is there, the network has no IPAM plugin", ids::IPAM))
        }
    }
}

impl<'c> Ipam<'c> {
    /// Finds the plugin; `None` if the network has none.
    pub fn find(call: &'c Call<'c>, network: &Network) -> Result<Option<Self>, CniError> {
        let Some(plugin) = network.ipam.clone() else { return Ok(None) };
        let path = &call.environment.path;
        match path.iter().map(|dir| dir.join(&plugin)).find(|file| file.is_file()) {
            Some(program) => Ok(Some(Self { call, plugin, program })),
            None => {
                let dirs: Vec<_> = path.iter().map(|dir| dir.display().to_string()).collect();
                let msg = format!("is in none of the directories of CNI_PATH: {}", dirs.join(", "));
                Err(CniError::Ipam { plugin, code: 5, msg })
            }
        }
    }

    /// Takes addresses.
    pub fn add(&self, clock: &Clock) -> Result<Addresses, CniError> {
        let stdout = self.exec("ADD", clock)?;
        Addresses::parse(&stdout)
            .map_err(|problem| self.error(6, format!("its answer cannot be used: {problem}")))
    }

    /// Passes a command on, with everything that came with ours.
    pub fn pass_on(&self, command: &str, clock: &Clock) -> Result<(), CniError> {
        self.exec(command, clock).map(drop)
    }

    fn exec(&self, command: &str, clock: &Clock) -> Result<Vec<u8>, CniError> {
        let mut variables = self.call.environment.variables.clone();
        variables.insert("CNI_COMMAND".to_owned(), command.to_owned());
        match run(&self.program, variables, self.call.stdin, clock.end()) {
            Ok(Ended { success: true, stdout }) => Ok(stdout),
            Ok(Ended { success: false, stdout }) => Err(self.failure(command, &stdout)),
            Err(error) => {
                let code = if error.kind() == io::ErrorKind::TimedOut { 11 } else { 5 };
                Err(self.error(code, format!("{}: {command}: {error}", self.program.display())))
            }
        }
    }

    /// The error that the plugin has told, as it has told it.
    fn failure(&self, command: &str, stdout: &[u8]) -> CniError {
        let told: Value = serde_json::from_slice(stdout).unwrap_or_default();
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let (msg, details) = (text("msg"), text("details"));
        let details = if details.is_empty() { String::new() } else { format!(" ({details})") };
        match told["code"].as_u64() {
            Some(code) => self.error(code, format!("{msg}{details}")),
            None => self.error(6, format!("{command} failed and gave no reason")),
        }
    }

    fn error(&self, code: u64, msg: String) -> CniError {
        CniError::Ipam { plugin: self.plugin.clone(), code, msg }
    }
}

#[cfg(test)]
mod tests;
