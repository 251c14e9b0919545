//! Addresses from an IPAM plugin, the only other program that is ever started.

mod run;

use std::{io, path::PathBuf};

use serde_json::{Map, Value, json};

use super::{call::Call, clock::Clock, config::Network, error::CniError, version::Version};
use crate::vhostuser::Quoted;
use run::{Ended, run};

/// What an IPAM plugin has given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    ips: Vec<Map<String, Value>>,
    routes: Option<Value>,
    dns: Option<Value>,
}

/// The IPAM plugin of a network.
#[derive(Debug, Clone)]
pub struct Ipam<'c> {
    call: &'c Call<'c>,
    plugin: String,
    program: PathBuf,
}

impl<'c> Ipam<'c> {
    /// Finds the plugin; nothing if the network has none.
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
        Addresses::parse(&stdout).ok_or_else(|| {
            let shown = String::from_utf8_lossy(&stdout);
            self.error(6, format!("its answer {} is no result", Quoted(shown.trim())))
        })
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

impl Addresses {
    /// The addresses that a result is about, of whatever version.
    pub fn parse(result: &[u8]) -> Option<Self> {
        let Ok(Value::Object(mut result)) = serde_json::from_slice(result) else { return None };
        let ips = match result.remove("ips") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(ips)) => ips.into_iter().map(ip).collect::<Option<_>>()?,
            Some(_) => return None,
        };
        let mut some = |key: &str| result.remove(key).filter(|value| !is_empty(value));
        Some(Self { ips, routes: some("routes"), dns: some("dns") })
    }

    /// As they are written down for a repeated ADD.
    pub fn note(&self) -> String {
        json!({ "ips": self.ips, "routes": self.routes, "dns": self.dns }).to_string()
    }

    /// Puts them into a result with one interface. `dns` is what the network itself says, which comes first.
    pub fn write(&self, version: Version, dns: Option<&Value>, result: &mut Value) {
        if !self.ips.is_empty() {
            let ips: Vec<_> = self.ips.iter().map(|ip| of_version(ip.clone(), version)).collect();
            result["ips"] = ips.into();
        }
        if let Some(routes) = &self.routes {
            result["routes"] = routes.clone();
        }
        if let Some(dns) = dns.filter(|dns| !is_empty(dns)).or(self.dns.as_ref()) {
            result["dns"] = dns.clone();
        }
    }
}

fn ip(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(ip) if ip.get("address").is_some_and(Value::is_string) => Some(ip),
        _ => None,
    }
}

/// Until 1.0.0 each address told its family.
fn of_version(mut ip: Map<String, Value>, version: Version) -> Value {
    let v6 = ip.get("address").and_then(Value::as_str).is_some_and(|address| address.contains(':'));
    ip.insert("interface".to_owned(), 0.into());
    ip.remove("version");
    if version < Version::V1_0_0 {
        ip.insert("version".to_owned(), if v6 { "6" } else { "4" }.into());
    }
    Value::Object(ip)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests;
