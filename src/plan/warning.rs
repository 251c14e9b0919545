use std::fmt;

use super::error::quoted_list;
use crate::attachment::Attachment;
use vocabulary::{NetworkName, QueuePairs, Quoted, SocketMode};

/// Something that works here and now but that somebody should know of. Logged, never returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The VM asks for more queue pairs than a NIC may have.
    QueuesCut {
        /// By KubeVirt's formula.
        wanted: u64,
        /// What the NICs get.
        given: QueuePairs,
    },
    /// More than one binding plugin: the number in the container's name, and with it the links' path, is random.
    SeveralBindings {
        /// Their names.
        names: Vec<String>,
    },
    /// The socket's file name looks as if another node would call it differently.
    HostSpecificFileName {
        /// The network.
        network: NetworkName,
        /// The file name.
        file_name: String,
    },
    /// The MAC address is derived, but from less than KubeVirt would give: a manifest and not a running VMI.
    MacWithoutFirmwareUuid {
        /// The network.
        network: NetworkName,
    },
    /// On a migration target: what we know of the mode, where the source's decides.
    MigrationTarget {
        /// The network.
        network: NetworkName,
        /// The mode here.
        mode: SocketMode,
    },
    /// Another sidecar's network cannot be used; it gets no link from us.
    OtherSkipped {
        /// The network, as the source calls it.
        network: String,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueuesCut { wanted, given } => write!(
                f,
                "multiqueue: {wanted} vCPUs would take {wanted} queue pairs, the NICs get {given} (DPDK takes at most \
                 128; see --max-queue-pairs)"
            ),
            Self::SeveralBindings { names } => write!(
                f,
                "the VM uses several binding plugins ({}): KubeVirt numbers their sidecars at random for each pod, so a \
                 live migration may not find the socket's path; use one binding plugin for each VM",
                quoted_list(names)
            ),
            Self::HostSpecificFileName { network, file_name } => write!(
                f,
                "network '{network}': the socket's file name {} looks as if it were made for this node; a live \
                 migration needs the same file name on every node ('vhost.sock')",
                Quoted(file_name)
            ),
            Self::MacWithoutFirmwareUuid { network } => write!(
                f,
                "network '{network}': its MAC address is derived from the VM's name, because the VM has no firmware UUID; \
                 KubeVirt gives a running VMI one, and with it another address"
            ),
            Self::MigrationTarget { network, mode } => write!(
                f,
                "network '{network}': the VM is being migrated; if this is the target, the source's domain decides \
                 who listens, and the socket here works only for {} ({mode})",
                mode.both_ends()
            ),
            Self::OtherSkipped { network, reason } => {
                write!(
                    f,
                    "network {}, which is another sidecar's, gets no link from this one: {reason}",
                    Quoted(network)
                )
            }
        }
    }
}

/// A container id, a pod UID or the like: twelve or more hex digits in a row (dashes between them do not count).
pub(super) fn host_specific(network: &NetworkName, attachment: &Attachment) -> Option<Warning> {
    let file_name = attachment.socket.file_name();
    let mut run = 0;
    for b in file_name.bytes() {
        run = match b {
            b if b.is_ascii_hexdigit() => run + 1,
            b'-' => run,
            _ => 0,
        };
        if run == 12 && file_name.split('.').next() != Some(&network.pod_interface()) {
            return Some(Warning::HostSpecificFileName {
                network: network.clone(),
                file_name: file_name.to_owned(),
            });
        }
    }
    None
}
