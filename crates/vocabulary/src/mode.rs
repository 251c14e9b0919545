use std::{fmt, str::FromStr};

use super::Quoted;

/// Who creates the socket, from the *guest's* point of view, as in device-info and libvirt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketMode {
    /// The guest (QEMU) listens, the switch connects. The default: it survives a restart of the switch.
    Server,
    /// The guest (QEMU) connects, the switch listens.
    Client,
}

/// A socket mode that is neither `server` nor `client`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a valid socket mode: use 'server' (guest listens, switch connects) or 'client' (guest connects, switch listens)", Quoted(.0))]
pub struct UnknownMode(pub String);

impl SocketMode {
    /// The value in device-info and libvirt.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }

    /// The type of the OVS port for a guest of this mode; OVS names the *switch's* role.
    pub fn port_type(self) -> &'static str {
        match self {
            Self::Server => "dpdkvhostuserclient",
            Self::Client => "dpdkvhostuser",
        }
    }

    /// The mode of a guest on an OVS port of this type.
    pub fn of_port_type(text: &str) -> Option<Self> {
        [Self::Server, Self::Client].into_iter().find(|mode| mode.port_type() == text)
    }

    /// What each end does, for logs and messages, because "client" alone is ambiguous.
    pub fn both_ends(self) -> &'static str {
        match self {
            Self::Server => "guest listens, switch connects",
            Self::Client => "guest connects, switch listens",
        }
    }
}

impl FromStr for SocketMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "server" => Ok(Self::Server),
            "client" => Ok(Self::Client),
            _ => Err(UnknownMode(text.to_owned())),
        }
    }
}

impl fmt::Display for SocketMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
