//! network-info: the downward API file in which KubeVirt hands a sidecar the device-info of its networks
//! (annotation `kubevirt.io/network-info`; device-info specification 1.1.0).

use std::path::Path;

use serde_json::Value;

use crate::attachment::{Attachment, Problem};
use host_io::source_file;
use vocabulary::NetworkName;
use vocabulary::device_info::{DeviceInfo, DeviceInfoError};

const WRITER: &str = "the CNI or device plugin; KubeVirt copies it";

/// The file, parsed as far as any version of KubeVirt needs it. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    entries: Vec<Value>,
    file: String,
}

/// Networks of the file that are not ours.
#[derive(Debug, Default)]
pub struct Others {
    /// Those with a vhost-user device.
    pub usable: Vec<(NetworkName, Attachment)>,
    /// Those whose vhost-user device cannot be used, and why.
    pub unusable: Vec<(String, Problem)>,
}

/// Reads the file once; waiting is the caller's.
pub fn read(path: &Path) -> Result<NetworkInfo, Problem> {
    let bytes = source_file::read(path)?.ok_or(Problem::Missing)?;
    NetworkInfo::parse(&bytes, &path.display().to_string())
}

impl NetworkInfo {
    /// Parses the file's content. `file` is its name for messages.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, Problem> {
        if bytes.trim_ascii().is_empty() {
            return Err(Problem::Empty);
        }
        let content: Value = serde_json::from_slice(bytes)?;
        let entries = match content.get("interfaces") {
            Some(Value::Array(entries)) => entries.clone(),
            _ => Vec::new(),
        };
        Ok(Self { entries, file: file.to_owned() })
    }

    /// The attachment of one network; `None` if the file does not list it.
    pub fn attachment(&self, network: &NetworkName) -> Result<Option<Attachment>, Problem> {
        let mut own = self.entries.iter().filter(|entry| name_of(entry) == Some(network.as_str()));
        match (own.next(), own.count()) {
            (None, _) => Ok(None),
            (Some(entry), 0) => self.read_entry(entry).map(Some),
            (Some(_), more) => Err(Problem::ListedTwice(more + 1)),
        }
    }

    /// Every other network with a vhost-user device. Networks with another kind of device are of no interest.
    pub fn others(&self, own: &[NetworkName]) -> Others {
        let mut others = Others::default();
        for entry in &self.entries {
            let Some(name) = name_of(entry) else { continue };
            if own.iter().any(|network| network.as_str() == name) {
                continue;
            }
            let Ok(network) = name.parse::<NetworkName>() else {
                continue;
            };
            match self.read_entry(entry) {
                Ok(attachment) => others.usable.push((network, attachment)),
                Err(Problem::NoDeviceInfo | Problem::DeviceInfo(DeviceInfoError::NotVhostUser(_))) => {}
                Err(problem) => others.unusable.push((name.to_owned(), problem)),
            }
        }
        others
    }

    fn read_entry(&self, entry: &Value) -> Result<Attachment, Problem> {
        let info = match entry.get("deviceInfo") {
            None | Some(Value::Null) => return Err(Problem::NoDeviceInfo),
            Some(info) => info,
        };
        let device = DeviceInfo::of(info)?;
        Ok(Attachment {
            socket: device.path,
            mode: device.mode,
            mac: optional_text(entry, "mac")?,
            mtu: optional_number(entry, "mtu")?,
            file: self.file.clone(),
        })
    }
}

fn name_of(entry: &Value) -> Option<&str> {
    entry.get("network")?.as_str()
}

fn optional_text(entry: &Value, key: &str) -> Result<Option<String>, Problem> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(field(key, "is not a string")),
    }
}

fn optional_number(entry: &Value, key: &str) -> Result<Option<i64>, Problem> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| field(key, "is not a whole number")),
    }
}

fn field(place: &str, problem: &'static str) -> Problem {
    Problem::Field { field: place.to_owned(), problem, writer: WRITER }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{ComputePath, SocketMode};

    fn attachment(entry: &str) -> Result<Option<Attachment>, String> {
        let json = format!(r#"{{"interfaces":[{{"network":"other"}},{entry}]}}"#);
        let info = NetworkInfo::parse(json.as_bytes(), "network-info").unwrap();
        info.attachment(&"net1".parse().unwrap()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn reads_every_generation_of_the_file() {
        let found = attachment(
            r#"{"network":"net1","deviceInfo":{"type":"vhost-user","version":"1.1.0","vhost-user":
            {"mode":"client","path":"/run/a/vhost.sock"}},"mac":"02:00:00:00:00:01","mtu":9000,"new":{}}"#,
        );
        let expected = Attachment {
            socket: ComputePath::file("/run/a/vhost.sock").unwrap(),
            mode: SocketMode::Client,
            mac: Some("02:00:00:00:00:01".to_owned()),
            mtu: Some(9000),
            file: "network-info".to_owned(),
        };
        assert_eq!(found, Ok(Some(expected.clone())));
        let oldest = attachment(
            r#"{"network":"net1","deviceInfo":{"type":"vhost-user","vhost-user":{"path":"/run/a/vhost.sock"}}}"#,
        );
        assert_eq!(
            oldest,
            Ok(Some(Attachment { mode: SocketMode::Server, mac: None, mtu: None, ..expected }))
        );
        assert_eq!(attachment(r#"{"network":"net2"}"#), Ok(None));
    }

    #[test]
    fn refuses_what_waiting_cannot_mend() {
        let device = |device: &str| {
            let entry =
                format!(r#"{{"network":"net1","deviceInfo":{{"type":"vhost-user","vhost-user":{device}}}}}"#);
            attachment(&entry).unwrap_err()
        };
        let writer = "fix what writes it (the CNI or device plugin; KubeVirt copies it)";
        assert_eq!(device("{}"), format!("deviceInfo.vhost-user.path is missing: {writer}"));
        assert_eq!(device("null"), format!("deviceInfo.vhost-user.path is missing: {writer}"));
        assert_eq!(device(r#"{"path":7}"#), format!("deviceInfo.vhost-user.path is not a string: {writer}"));
        assert_eq!(
            device(r#"{"path":"run/x"}"#),
            "deviceInfo.vhost-user.path: path 'run/x' is not absolute: the device plugin or driver must publish the \
             socket's absolute path in the compute container"
        );
        assert_eq!(
            device(r#"{"path":"/run/x","mode":"host"}"#),
            "deviceInfo.vhost-user.mode: 'host' is not a valid socket mode: use 'server' (guest listens, switch connects) or \
             'client' (guest connects, switch listens)"
        );
        assert_eq!(
            attachment(r#"{"network":"net1","deviceInfo":{"type":"pci"}}"#).unwrap_err(),
            "deviceInfo.type is 'pci', expected 'vhost-user': the NAD must use a vhost-user CNI plugin and resource"
        );
        assert_eq!(
            attachment(r#"{"network":"net1"}"#).unwrap_err(),
            "the network is listed without deviceInfo: check that the NAD's annotation \
             k8s.v1.cni.cncf.io/resourceName names the vhost-user device plugin's resource and that the VM requests it"
        );
        assert_eq!(
            attachment(r#"{"network":"net1"},{"network":"net1"}"#).unwrap_err(),
            "the network is listed 2 times: each network must have one socket"
        );
    }

    #[test]
    fn tells_what_may_still_come() {
        let not_ready = |bytes: &[u8]| NetworkInfo::parse(bytes, "f").unwrap_err().to_string();
        assert_eq!(not_ready(b""), "is empty");
        assert_eq!(not_ready(b" \n"), "is empty");
        assert_eq!(not_ready(br#"{"interfaces":[{"net"#), "is not complete JSON (line 1, column 20)");
        assert_eq!(not_ready(b"\xff"), "is not complete JSON (line 1, column 1)");
        for partial in ["{}", r#"{"interfaces":null}"#, "[]", "null"] {
            let info = NetworkInfo::parse(partial.as_bytes(), "f").unwrap();
            assert_eq!(info.attachment(&"net1".parse().unwrap()), Ok(None));
        }
    }

    #[test]
    fn others_are_taken_when_usable_and_never_fatal() {
        let json = r#"{"interfaces":[
            {"network":"own","deviceInfo":{"type":"vhost-user","vhost-user":{"path":"/run/own/vhost.sock"}}},
            {"network":"good","deviceInfo":{"type":"vhost-user","vhost-user":{"path":"/run/good/vhost.sock"}}},
            {"network":"bad","deviceInfo":{"type":"vhost-user","vhost-user":{"path":"../x"}}},
            {"network":"../x","deviceInfo":{"type":"vhost-user","vhost-user":{"path":"/run/x/vhost.sock"}}},
            {"network":"pci","deviceInfo":{"type":"pci"}}, {"network":"bare"}, {"network":1}, 7]}"#;
        let info = NetworkInfo::parse(json.as_bytes(), "f").unwrap();
        let Others { usable, unusable } = info.others(&["own".parse().unwrap()]);
        assert_eq!(usable.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(unusable.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["bad"]);
    }
}
