use crate::annotations::AnnotationError;
use crate::vmi::VmiError;
use vocabulary::{MacAddr, MacError, MtuError, NameError, NetworkName, PathError, PciAddressError, Quoted};

/// Why a VMI's NICs cannot be planned. Every text names the network, the field, its value and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Nothing says which binding is ours.
    #[error(
        "the VM uses the binding plugins {}, and nothing says which is this sidecar's: register one of them as \
         'vhostuser', or set NETWORK_BINDING_PLUGIN_NAME in the sidecar's image", quoted_list(.names)
    )]
    AmbiguousBinding {
        /// The names.
        names: Vec<String>,
    },
    /// Nothing says whether another name is this sidecar's, too. KubeVirt ≥ 1.9 does say it.
    #[error(
        "network '{network}' uses the binding plugin {}, but this sidecar serves {}, and nothing says whether both names are \
         registered with its image: use {ours} for this NIC too, or set NETWORK_BINDING_PLUGIN_NAME in the image of each \
         name", Quoted(.theirs), Quoted(.ours), ours = Quoted(.ours)
    )]
    SecondName {
        /// A vhost-user network that this sidecar would leave without a NIC.
        network: NetworkName,
        /// The name that it serves.
        ours: String,
        /// The other name.
        theirs: String,
    },
    /// An annotation of ours.
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// The vCPUs cannot be counted.
    #[error(transparent)]
    Vmi(#[from] VmiError),
    /// A name that KubeVirt's admission would have rejected.
    #[error("spec.domain.devices.interfaces: {0}; rename the interface and its network in the VM")]
    Name(#[from] NameError),
    /// One NIC.
    #[error("network {}: {reason}", Quoted(.network.as_str()))]
    Nic {
        /// Its network.
        network: NetworkName,
        /// What is wrong with it.
        reason: NicError,
    },
}

/// Why one NIC cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NicError {
    /// Two interfaces under one name.
    #[error("two interfaces of the VM have this name: rename one")]
    DuplicateInterface,
    /// An interface without its network.
    #[error("spec.networks has no network of this interface's name: add it to the VM")]
    NoNetwork,
    /// A network that cannot have a vhost-user socket.
    #[error(
        "it is {0}, but a vhost-user NIC needs a multus network (networkName) or a resourceClaim: change the network in \
         the VM, or use another binding for it"
    )]
    WrongNetwork(&'static str),
    /// vhost-user is always virtio.
    #[error("model {} cannot be a vhost-user NIC: set it to 'virtio' or omit it", Quoted(.0))]
    Model(String),
    /// An unknown link state.
    #[error("unknown state {}: use 'up', 'down' or 'absent'", Quoted(.0))]
    State(String),
    /// A MAC address that no NIC can have.
    #[error("{field}: {error}; correct it in {place}")]
    Mac {
        /// The field.
        field: &'static str,
        /// What is wrong.
        error: MacError,
        /// Where the field is.
        place: String,
    },
    /// An MTU that QEMU would not accept.
    #[error("mtu: {error}; correct it in {place}, or set annotation vhostuser.network/mtu")]
    Mtu {
        /// What is wrong.
        error: MtuError,
        /// Where the value is from.
        place: String,
    },
    /// An invalid PCI address.
    #[error("pciAddress: {0}; correct it in the VM")]
    PciAddress(PciAddressError),
    /// A number out of its range.
    #[error("{field}: {value} is out of range, expected {range}: correct it in the VM")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i128,
        /// Its range.
        range: &'static str,
    },
    /// The path that QEMU would get is too long.
    #[error("{0}: shorten the socket's file name (the device plugin's or driver's; 'vhost.sock' fits)")]
    SocketPath(PathError),
    /// The socket is said to be where our links are.
    #[error(
        "its socket {} is in the directory of this sidecar's own links: the device plugin or driver must publish the \
         socket's real directory", Quoted(.0)
    )]
    SocketAmongLinks(String),
    /// Two of our NICs with one address.
    #[error("MAC address {mac} is also used by interface {}: set another macAddress on one of them", Quoted(.other.as_str()))]
    DuplicateMac {
        /// The address.
        mac: MacAddr,
        /// The other interface.
        other: NetworkName,
    },
    /// Two NICs on one socket.
    #[error(
        "its socket {} is also used by network {}: each NIC needs its own socket; check that the VM requests one device \
         for each NIC", Quoted(.path), Quoted(.other.as_str())
    )]
    DuplicateSocket {
        /// The path.
        path: String,
        /// The other network.
        other: NetworkName,
    },
    /// The caller passed no attachment: a bug in this program.
    #[error("internal error: planned without an attachment; please report this with the sidecar's version")]
    Unresolved,
}

impl NicError {
    pub(super) fn of(self, network: &NetworkName) -> PlanError {
        PlanError::Nic { network: network.clone(), reason: self }
    }
}

/// Names in quotes, with commas between them.
pub(super) fn quoted_list(names: &[String]) -> String {
    names.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>().join(", ")
}
