use vocabulary::{ComputePath, SocketMode};

/// One network's vhost-user socket, and what its source says of the NIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The socket's path in the compute container.
    pub socket: ComputePath,
    /// Who creates it.
    pub mode: SocketMode,
    /// The MAC address offered, as written: parsed only if the VMI names none.
    pub mac: Option<String>,
    /// The MTU offered, in bytes as written: checked only if nothing else names one.
    pub mtu: Option<i64>,
    /// The file that says so, for messages.
    pub file: String,
}
