use vocabulary::{NetworkName, Quoted};

use super::xml::XmlError;

/// Why a domain cannot be given its vhost-user NICs. Texts carry places and single values, never XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DomainError {
    /// Not a well-formed document, or one that XML tools behind us would refuse.
    #[error(
        "domain XML, {0}; KubeVirt or a sidecar that ran before this one wrote it: look at the other hook sidecars of this VM"
    )]
    Malformed(#[from] XmlError),
    /// Well-formed, but no libvirt domain with exactly one list of devices.
    #[error(
        "domain XML: {0}; KubeVirt or a sidecar that ran before this one wrote it: look at the other hook sidecars of this VM"
    )]
    NotADomain(&'static str),
    /// Something asks for memory that the switch could not map.
    #[error(
        "network {}: the domain has {place} {}, but a vhost-user switch has to map the guest's memory: remove what asks \
         for it (another hook sidecar; KubeVirt itself does not), or take the vhost-user NIC out of the VM",
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
    /// Two devices under one alias: libvirt refuses them, and KubeVirt finds the wrong one.
    #[error(
        "network {}: alias {} is also that of {place} in the domain: give the network or that device another name",
        Quoted(.network.as_str()), Quoted(&.network.alias())
    )]
    AliasTaken {
        /// Our network.
        network: NetworkName,
        /// What carries the alias.
        place: String,
    },
    /// Another NIC uses the socket; QEMU would unlink the first one's and the start would hang.
    #[error(
        "network {}: socket {} is also used by {other} in the domain: each vhost-user NIC needs a socket of its own; \
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
    /// Our own answer is not what it must be: a fault of this program.
    #[error(
        "internal: the rewritten domain failed its check: {0}; please report this with the sidecar's version"
    )]
    BadResult(&'static str),
}
