//! The answer to ADD, in the form of the version that was asked for.

use serde_json::{Map, Value, json};

use super::{config::Nic, environment::Target, ipam::Addresses, runtime::Runtime, version::Version};
use vocabulary::{MacAddr, Mtu, SocketPath};

/// The one interface of a result: Multus reports no network without one, and none without a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface<'r> {
    name: &'r str,
    sandbox: &'r str,
    /// Only one that was asked for: the guest's NIC gets it, and a made-up one would change with each start.
    mac: Option<MacAddr>,
    mtu: Option<Mtu>,
    socket: &'r SocketPath,
}

impl<'r> Interface<'r> {
    /// The interface that ADD has made.
    pub fn new(target: &'r Target, runtime: &Runtime, nic: &Nic, socket: &'r SocketPath) -> Self {
        let name = &target.attachment.ifname;
        Self { name, sandbox: &target.netns, mac: runtime.mac, mtu: nic.mtu, socket }
    }

    fn json(&self, version: Version) -> Value {
        let mut json = json!({ "name": self.name, "sandbox": self.sandbox });
        if let Some(mac) = self.mac {
            json["mac"] = mac.to_string().into();
        }
        // In the specification since 1.1.0; Multus reads it from results of 1.0.0 too.
        if let Some(mtu) = self.mtu.filter(|_| version >= Version::V1_0_0) {
            json["mtu"] = mtu.bytes().into();
        }
        if version >= Version::V1_1_0 {
            json["socketPath"] = self.socket.as_str().into();
        }
        json
    }

    /// The result.
    pub fn result(&self, version: Version, addresses: Option<&Addresses>, dns: Option<&Value>) -> Value {
        let mut result = json!({ "cniVersion": version.as_str(), "interfaces": [self.json(version)] });
        addresses.unwrap_or(&Addresses::default()).write(version, dns, &mut result);
        result
    }

    /// Where an earlier result differs from what ADD would answer now. Later plugins of a chain may have added to it.
    pub fn deviations(&self, version: Version, result: &Value) -> Vec<String> {
        let should = self.json(version);
        let interfaces =
            result.get("interfaces").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let Some(is) = interfaces.iter().find(|is| is["name"] == should["name"]) else {
            return vec![format!("prevResult has no interface {}", should["name"])];
        };
        let fields = should.as_object().into_iter().flat_map(Map::iter);
        let wrong = fields.filter(|(key, value)| is.get(key.as_str()) != Some(*value));
        wrong
            .map(|(key, value)| {
                let is = is.get(key).unwrap_or(&Value::Null);
                format!("prevResult's interface has {key} {is}, should be {value}")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
