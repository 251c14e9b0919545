//! device-info: what a device plugin and a CNI plugin record about a device (specification 1.1.0 of the Network
//! Plumbing Working Group). Multus copies it to the pod's status, and KubeVirt from there to network-info.

use serde_json::{Value, json};

use crate::{ComputePath, DeviceId, PathError, Quoted, SocketMode, UnknownMode};

/// Where device plugins write their files for Multus and the CNI plugin.
pub const DEVICE_PLUGIN_DIR: &str = "/var/run/k8s.cni.cncf.io/devinfo/dp";

/// The specification's version.
const VERSION: &str = "1.1.0";

/// The vhost-user device of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Who creates the socket.
    pub mode: SocketMode,
    /// The socket's path in the container that has the device.
    pub path: ComputePath,
}

/// Why an object does not describe a vhost-user device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceInfoError {
    /// It describes another kind of device.
    #[error("deviceInfo.type is {}, expected 'vhost-user': the NAD must use a vhost-user CNI plugin and resource", Quoted(.0))]
    NotVhostUser(String),
    /// A field is missing or has the wrong type.
    #[error("{field} {problem}: fix what writes it (the CNI or device plugin; KubeVirt copies it)")]
    Field {
        /// Its place.
        field: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// Neither server nor client.
    #[error("deviceInfo.vhost-user.mode: {0}")]
    Mode(UnknownMode),
    /// Not a path to a socket.
    #[error(
        "deviceInfo.vhost-user.path: {0}: the device plugin or driver must publish the socket's absolute path in the compute container"
    )]
    Path(PathError),
}

impl DeviceInfo {
    /// Reads the object, in a file of its own or as a part of network-info.
    ///
    /// # Errors
    /// Another type of device, or an invalid field.
    pub fn of(info: &Value) -> Result<Self, DeviceInfoError> {
        let kind = text(info, "type", "deviceInfo.type")?;
        if kind != "vhost-user" {
            return Err(DeviceInfoError::NotVhostUser(kind.to_owned()));
        }
        let device = info.get("vhost-user").unwrap_or(&Value::Null);
        let path = text(device, "path", "deviceInfo.vhost-user.path")?;
        let path = ComputePath::file(path).map_err(DeviceInfoError::Path)?;
        Ok(Self { mode: mode(device)?, path })
    }

    /// The object to write.
    pub fn json(&self) -> Value {
        json!({
            "type": "vhost-user",
            "version": VERSION,
            "vhost-user": { "mode": self.mode.as_str(), "path": self.path.as_str() },
        })
    }
}

/// The file's name in [`DEVICE_PLUGIN_DIR`], by which Multus looks for it. `resource` is the whole name,
/// `<domain>/<name>`.
pub fn file_name(resource: &str, id: &DeviceId) -> String {
    format!("{}-{id}-device.json", resource.replace('/', "-"))
}

/// Defaults to server: the guest listens.
fn mode(device: &Value) -> Result<SocketMode, DeviceInfoError> {
    match device.get("mode") {
        None | Some(Value::Null) => Ok(SocketMode::Server),
        Some(Value::String(mode)) if mode.is_empty() => Ok(SocketMode::Server),
        Some(Value::String(mode)) => mode.parse().map_err(DeviceInfoError::Mode),
        Some(_) => Err(field("deviceInfo.vhost-user.mode", "is not a string")),
    }
}

fn text<'v>(object: &'v Value, key: &str, place: &'static str) -> Result<&'v str, DeviceInfoError> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(field(place, "is missing")),
        Some(_) => Err(field(place, "is not a string")),
    }
}

fn field(field: &'static str, problem: &'static str) -> DeviceInfoError {
    DeviceInfoError::Field { field, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_the_specification_asks_and_reads_it_again() {
        let info = DeviceInfo {
            mode: SocketMode::Client,
            path: ComputePath::file("/var/run/vhostuser/sockets-0/vhost.sock").unwrap(),
        };
        assert_eq!(
            info.json().to_string(),
            r#"{"type":"vhost-user","version":"1.1.0","vhost-user":{"mode":"client","path":"/var/run/vhostuser/sockets-0/vhost.sock"}}"#
        );
        assert_eq!(DeviceInfo::of(&info.json()), Ok(info));
    }

    #[test]
    fn the_file_is_where_multus_looks() {
        let id = "sockets-0".parse().unwrap();
        assert_eq!(
            file_name("vhostuser.network/sockets", &id),
            "vhostuser.network-sockets-sockets-0-device.json"
        );
    }
}
