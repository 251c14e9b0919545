use std::{fmt, str::FromStr};

use super::{Quoted, short_digest};

/// The socket's file name in every device's directory. Both pods of a migration use the same name, because QEMU on the
/// target gets the source's.
pub const SOCKET_FILE: &str = "vhost.sock";

/// The directory below a device's own that its pod sees. Fresh for each pod, so an fd kept by the
/// previous pod is worthless.
pub const POD_DIR: &str = "pod";

/// A device of the vhost-user device plugin: one socket directory on one node.
///
/// 1 to 63 of `a`–`z`, `0`–`9` and `-`, not beginning or ending with `-`: one safe file name, a component of the paths
/// on the host and in the container alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(String);

/// A string that is not a device ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid device ID {}: expected 1 to 63 lower-case letters, digits and '-', starting and ending with a letter or digit", Quoted(.0))]
pub struct DeviceIdError(pub String);

impl DeviceId {
    /// The longest ID, in bytes.
    pub const MAX: usize = 63;

    /// The ID as a string, which is also the name of the device's directory.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The switch port's name: `vhu` and the first 11 hex digits of the id's SHA-256. Always 14 bytes, the most that
    /// no OVS tool truncates; one name for each device of a node, so one socket cannot get two ports.
    pub fn port_name(&self) -> String {
        format!("vhu{}", short_digest(&self.0, 11))
    }
}

impl FromStr for DeviceId {
    type Err = DeviceIdError;

    fn from_str(text: &str) -> Result<Self, DeviceIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let ends = text.starts_with('-') || text.ends_with('-');
        match !text.is_empty() && text.len() <= Self::MAX && !ends && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(DeviceIdError(text.to_owned())),
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_safe_file_names_only() {
        for good in ["a", "sockets-0", "0-9", &"x".repeat(63)] {
            assert_eq!(good.parse::<DeviceId>().unwrap().as_str(), good);
        }
        for bad in ["", "-a", "a-", ".", "..", "a/b", "a.b", "A", "a b", "a\0", "ž", &"x".repeat(64)] {
            assert_eq!(bad.parse::<DeviceId>(), Err(DeviceIdError(bad.to_owned())));
        }
    }

    /// The device plugin and the CNI plugin of different releases must agree on it.
    #[test]
    fn the_port_name_is_frozen() {
        let port = |id: &str| id.parse::<DeviceId>().unwrap().port_name();
        assert_eq!(port("sockets-0"), "vhuc26c93f32eb");
        assert_eq!(port("sockets-1").len(), 14);
        assert_ne!(port("sockets-0"), port("sockets-1"));
    }
}
