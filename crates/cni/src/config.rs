//! The network configuration: what the NAD says, and what runtimes put into it.

mod names;

use std::{str::FromStr, time::Duration};

use serde_json::Value;

use super::{
    environment::is_container_id,
    error::CniError,
    limit::{FROM_GUEST, Limit, TO_GUEST},
    version::Version,
    vlan::Vlan,
};
pub use names::{BridgeName, OvsdbSocket};
use node::fields::{Fields, Mistakes};
use vocabulary::{HostDir, Mtu, Quoted, SocketMode};

/// Where OVSDB's socket is if the NAD does not say.
const OVSDB: &str = "/var/run/openvswitch/db.sock";

/// The device plugin's socket root if the NAD does not say.
const SOCKET_ROOT: &str = "/var/run/vhostuser";

/// The time for a command if the NAD does not say, and the most that it may say, in seconds. Runtimes give up after
/// minutes.
const TIMEOUT: u64 = 20;
const TIMEOUT_MAX: u64 = 100;

/// Fields of the CNI and of runtimes. Multus puts the device's id to the top as `deviceID` and `pciBusID`.
const STANDARD: [&str; 14] = [
    "cniVersion",
    "cniVersions",
    "name",
    "type",
    "ipam",
    "dns",
    "args",
    "capabilities",
    "runtimeConfig",
    "prevResult",
    "deviceID",
    "pciBusID",
    "disableCheck",
    "disableGC",
];

/// The most that OVS gives a DPDK port, in bytes: a frame of 9728 less Ethernet's header, checksum and two VLAN tags.
/// More it ignores with a line in its log.
const MTU_MAX: u64 = 9702;

/// Fields of our own.
const OURS: [&str; 15] = [
    "bridge",
    "createBridge",
    "ovsdb",
    "socketRoot",
    "mode",
    "group",
    "vlan",
    "trunk",
    "nativeVlan",
    "mtu",
    "toGuestKbit",
    "toGuestBurstKbit",
    "fromGuestKbit",
    "fromGuestBurstKbit",
    "applicationFile",
];

/// The same for every command.
const TIMEOUT_FIELD: &str = "timeout";

/// The specification keeps this prefix for what runtimes pass.
const RESERVED: &str = "cni.dev/";

/// What runtimes can be told to pass, and somebody here uses: we ourselves, or the IPAM plugin.
const CAPABILITIES: [&str; 6] = ["CNIDeviceInfoFile", "deviceID", "mac", "ips", "ipRanges", "dns"];

/// What every command needs, so that DEL fails for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// OVSDB's socket.
    pub ovsdb: OvsdbSocket,
    /// The device plugin's directories on the host.
    pub root: HostDir,
    /// The type of the IPAM plugin.
    pub ipam: Option<String>,
    /// For one command as a whole.
    pub timeout: Duration,
}

/// What the administrator wants of the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// The bridge.
    pub bridge: BridgeName,
    /// Make the bridge if it is missing.
    pub create_bridge: bool,
    /// The socket's mode that the device must have.
    pub mode: Option<SocketMode>,
    /// The group that the device's directory must have.
    pub group: Option<u32>,
    /// VLANs.
    pub vlan: Vlan,
    /// MTU.
    pub mtu: Option<Mtu>,
    /// What the guest receives.
    pub to_guest: Option<Limit>,
    /// What the guest sends.
    pub from_guest: Option<Limit>,
    /// Write a file for DPDK applications.
    pub application_file: bool,
    /// Name servers for the result.
    pub dns: Option<Value>,
}

/// The configuration as JSON, and its version, without which no answer has a form.
pub fn decode(stdin: &[u8]) -> Result<Value, CniError> {
    let value: Value = serde_json::from_slice(stdin)
        .map_err(|error| CniError::Decode(format!("standard input is not JSON: {error}")))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(CniError::Decode("standard input is not a JSON object".to_owned())),
    }
}

/// The configuration's version.
pub fn version(config: &Value) -> Result<Version, CniError> {
    match config.get("cniVersion") {
        Some(Value::String(text)) => Version::parse(text).ok_or_else(|| CniError::Version(text.clone())),
        // What the oldest configurations mean by saying nothing.
        None | Some(Value::Null) => Err(CniError::Version("0.1.0".to_owned())),
        Some(_) => Err(CniError::Decode("cniVersion is not a text".to_owned())),
    }
}

impl Network {
    /// Reads what DEL and GC need, and nothing else: what only ADD needs must not stop them.
    ///
    /// # Errors
    /// Every mistake in these fields.
    pub fn parse(config: &Value) -> Result<Self, CniError> {
        let mistakes = Mistakes::default();
        let network = Fields::any(config, "", &mistakes).and_then(|fields| Self::read(&fields));
        mistakes.or(network).map_err(CniError::Config)
    }

    fn read(fields: &Fields<'_>) -> Option<Self> {
        let name = name(fields);
        let ovsdb = or(fields, "ovsdb", OVSDB);
        let root = or(fields, "socketRoot", SOCKET_ROOT);
        let ipam = ipam(fields);
        let timeout = fields.number(TIMEOUT_FIELD, 1..=TIMEOUT_MAX);
        let timeout = Duration::from_secs(timeout.unwrap_or(TIMEOUT));
        Some(Self { name: name?, ovsdb: ovsdb?, root: root?, ipam, timeout })
    }
}

/// Reads everything that the administrator has written; [`finish`] reports what is wrong.
pub fn read(config: &Value, mistakes: &Mistakes) -> Option<(Network, Nic)> {
    // Unknown fields are kept apart, because they have a code of their own.
    let fields = Fields::any(config, "", mistakes)?;
    check_capabilities(&fields);
    let (network, nic) = (Network::read(&fields), Nic::read(&fields));
    Some((network?, nic?))
}

/// What was read, unless something is wrong with it.
///
/// # Errors
/// Every mistake; unknown fields have a code of their own if there is no other.
pub fn finish<T>(config: &Value, mistakes: Mistakes, read: Option<T>) -> Result<T, CniError> {
    match (unknown(config), mistakes.or(read)) {
        (None, result) => result.map_err(CniError::Config),
        (Some(unknown), Ok(_)) => Err(CniError::UnknownFields(unknown)),
        (Some(unknown), Err(mistakes)) => {
            mistakes.add("", unknown);
            Err(CniError::Config(mistakes))
        }
    }
}

impl Nic {
    /// Reads the whole configuration, without what the runtime adds for one attachment.
    ///
    /// # Errors
    /// Every mistake.
    pub fn parse(config: &Value) -> Result<(Network, Self), CniError> {
        let mistakes = Mistakes::default();
        let read = read(config, &mistakes);
        finish(config, mistakes, read)
    }

    fn read(fields: &Fields<'_>) -> Option<Self> {
        // All are read before the first `?`, so that every mistake is reported.
        let (bridge, mode, mtu, vlan) =
            (fields.required("bridge"), fields.optional("mode"), mtu(fields), Vlan::read(fields));
        let flag = |key| fields.boolean(key).unwrap_or(false);
        let (create_bridge, application_file) = (flag("createBridge"), flag("applicationFile"));
        let group = fields.number("group", 0..=u64::from(u32::MAX - 1)).and_then(|id| u32::try_from(id).ok());
        let to_guest = Limit::read(fields, TO_GUEST, mtu);
        let from_guest = Limit::read(fields, FROM_GUEST, mtu);
        let dns = fields.value("dns").cloned();
        let (bridge, vlan) = (bridge?, vlan?);
        Some(Self {
            bridge,
            create_bridge,
            mode,
            group,
            vlan,
            mtu,
            to_guest,
            from_guest,
            application_file,
            dns,
        })
    }
}

/// The fields that nobody knows, with their values as the specification asks.
pub fn unknown(config: &Value) -> Option<String> {
    let known = |key: &str| {
        STANDARD.contains(&key) || OURS.contains(&key) || key == TIMEOUT_FIELD || key.starts_with(RESERVED)
    };
    let fields = config.as_object()?.iter().filter(|(key, _)| !known(key));
    let shown: Vec<_> = fields
        .map(|(key, value)| format!("{} with value {}", Quoted(key), Quoted(&value.to_string())))
        .collect();
    let ours = [&OURS[..], &[TIMEOUT_FIELD]].concat().join(", ");
    (!shown.is_empty())
        .then(|| format!("not known: {}; beside those of the CNI there are {ours}", shown.join(", ")))
}

fn or<T>(fields: &Fields<'_>, key: &str, default: &str) -> Option<T>
where
    T: FromStr<Err: std::fmt::Display>,
{
    if fields.value(key).is_none() { default.parse().ok() } else { fields.optional(key) }
}

fn name(fields: &Fields<'_>) -> Option<String> {
    let name: String = fields.required("name")?;
    if is_container_id(&name) {
        return Some(name);
    }
    let problem = "is no network's name: a letter or digit, then letters, digits, '_', '.' and '-'";
    fields.mistake("name", format_args!("{} {problem}", Quoted(&name)));
    None
}

fn mtu(fields: &Fields<'_>) -> Option<Mtu> {
    let bytes = fields.number("mtu", u64::from(Mtu::MIN)..=MTU_MAX)?;
    Mtu::try_from(i64::try_from(bytes).ok()?).ok()
}

/// An IPAM section without a type asks for no addresses, as in other plugins.
fn ipam(fields: &Fields<'_>) -> Option<String> {
    let kind = match fields.value("ipam")? {
        Value::Object(ipam) => ipam.get("type").filter(|kind| !kind.is_null())?,
        _ => {
            fields.mistake("ipam", "must be an object");
            return None;
        }
    };
    match kind {
        Value::String(kind) if kind.is_empty() => None,
        Value::String(kind) if !kind.contains('/') && !kind.starts_with('.') => Some(kind.clone()),
        _ => {
            fields.mistake("ipam.type", format_args!("{} is no plugin's name", Quoted(&kind.to_string())));
            None
        }
    }
}

/// A capability that nobody here has would be asked for in vain.
fn check_capabilities(fields: &Fields<'_>) {
    match fields.value("capabilities") {
        None => {}
        Some(Value::Object(capabilities)) => {
            for (key, _) in capabilities.iter().filter(|(_, asked)| **asked == Value::Bool(true)) {
                if !CAPABILITIES.contains(&key.as_str()) {
                    let problem = format!("{} is not known, only {}", Quoted(key), CAPABILITIES.join(", "));
                    fields.mistake("capabilities", problem);
                }
            }
        }
        Some(_) => fields.mistake("capabilities", "must be an object"),
    }
}

#[cfg(test)]
mod tests;
