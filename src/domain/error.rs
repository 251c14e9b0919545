use vocabulary::{NetworkName, Quoted};

use super::xml::{TOO_MANY_ELEMENTS, XmlError};

/// Why a domain cannot be given its vhost-user NICs. Messages contain places and single values, never XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Not a well-formed document, or one that XML tools behind us would refuse.
    #[error(
        "domain XML, {0}; KubeVirt or a sidecar that ran before this one wrote it: check the other hook sidecars of this VM"
    )]
    Malformed(#[from] XmlError),
    /// Larger than any real domain, and than the memory of a sidecar allows.
    #[error(
        "domain XML: {bytes} bytes, more than the {max} (4 MiB) that this sidecar edits; KubeVirt or a sidecar that ran before this one wrote it: check the other hook sidecars of this VM"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The domain fits, but not with its new NICs.
    #[error(
        "with its vhost-user NICs the domain would have more than the 4 MiB or 100000 elements that this sidecar edits: use fewer of them"
    )]
    AnswerTooLarge,
    /// Well-formed, but not a libvirt domain with exactly one list of devices.
    #[error(
        "domain XML: {0}; KubeVirt or a sidecar that ran before this one wrote it: check the other hook sidecars of this VM"
    )]
    NotADomain(&'static str),
    /// The domain requests memory that the switch cannot map.
    #[error(
        "network {}: the domain has {place} {}, but a vhost-user switch must map the guest's memory: remove whatever sets \
         it (another hook sidecar; KubeVirt itself never does), or remove the vhost-user NIC from the VM",
        Quoted(.network.as_str()), Quoted(.value)
    )]
    MemoryNotShared {
        /// The first of our networks.
        network: NetworkName,
        /// Element and attribute.
        place: &'static str,
        /// What stands there.
        value: String,
    },
    /// Another device has the alias: libvirt refuses two, and KubeVirt would find the wrong one.
    #[error(
        "network {}: alias {} is already used by {place} in the domain: rename the network or that device",
        Quoted(.network.as_str()), Quoted(&.network.alias())
    )]
    AliasTaken {
        /// Our network.
        network: NetworkName,
        /// The device that has the alias.
        place: String,
    },
    /// Another NIC uses the socket; QEMU would unlink the first one's and the start would hang.
    #[error(
        "network {}: socket {} is already used by {other} in the domain: each vhost-user NIC needs its own socket; \
         remove that interface (another hook sidecar added it)",
        Quoted(.network.as_str()), Quoted(.path)
    )]
    SocketTaken {
        /// Our network.
        network: NetworkName,
        /// The path.
        path: String,
        /// The other NIC.
        other: String,
    },
    /// Our own answer failed its final check: a bug in this program.
    #[error(
        "internal error: the rewritten domain failed its check: {0}; please report this with the sidecar's version"
    )]
    BadResult(&'static str),
}

impl DomainError {
    /// Whether a smaller domain would have been accepted.
    pub(super) fn is_about_size(&self) -> bool {
        match self {
            Self::TooLarge { .. } => true,
            Self::Malformed(error) => error.problem == TOO_MANY_ELEMENTS,
            _ => false,
        }
    }
}
