use crate::annotations::AnnotationError;
use crate::vmi::VmiError;
use vocabulary::{MacAddr, MacError, MtuError, NameError, NetworkName, PathError, PciAddressError, Quoted};

/// Why a VMI's NICs cannot be planned. Every text names the network, the field, its value and the remedy.
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
    /// An annotation of ours.
    #[error(transparent)]
    Annotation(#[from] AnnotationError),
    /// The vCPUs cannot be counted.
    #[error(transparent)]
    Vmi(#[from] VmiError),
    /// A name that KubeVirt's admission would not have let pass.
    #[error("spec.domain.devices.interfaces: {0}; rename the interface and its network in the VM")]
    Name(#[from] NameError),
    /// Two interfaces under one name.
    #[error("network {}: two interfaces of the VM have this name: rename one", Quoted(.network.as_str()))]
    DuplicateInterface {
        /// The network.
        network: NetworkName,
    },
    /// An interface without its network.
    #[error("network {}: spec.networks has no network of this interface's name: add it to the VM", Quoted(.network.as_str()))]
    NoNetwork {
        /// The network.
        network: NetworkName,
    },
    /// A network that cannot have a vhost-user socket.
    #[error(
        "network {}: it is {what}, but a vhost-user NIC needs a multus network (networkName) or a resourceClaim: change \
         the network in the VM, or use another binding for it", Quoted(.network.as_str())
    )]
    WrongNetwork {
        /// The network.
        network: NetworkName,
        /// What it is.
        what: &'static str,
    },
    /// vhost-user is virtio or nothing.
    #[error("network {}: model {} cannot be a vhost-user NIC: set it to 'virtio' or leave it out", Quoted(.network.as_str()), Quoted(.model))]
    Model {
        /// The network.
        network: NetworkName,
        /// The model.
        model: String,
    },
    /// `state` is a word we do not know.
    #[error("network {}: state {} is not known: use 'up', 'down' or 'absent'", Quoted(.network.as_str()), Quoted(.state))]
    State {
        /// The network.
        network: NetworkName,
        /// The state.
        state: String,
    },
    /// A MAC address that no NIC can have.
    #[error("network {}: {field}: {error}; correct it in {place}", Quoted(.network.as_str()))]
    Mac {
        /// The network.
        network: NetworkName,
        /// The field.
        field: &'static str,
        /// What is wrong.
        error: MacError,
        /// Where the field is.
        place: String,
    },
    /// An MTU that QEMU would not take.
    #[error("network {}: mtu: {error}; correct it in {place}, or set annotation vhostuser.network/mtu", Quoted(.network.as_str()))]
    Mtu {
        /// The network.
        network: NetworkName,
        /// What is wrong.
        error: MtuError,
        /// Where the value is from.
        place: String,
    },
    /// A PCI address that is none.
    #[error("network {}: pciAddress: {error}; correct it in the VM", Quoted(.network.as_str()))]
    PciAddress {
        /// The network.
        network: NetworkName,
        /// What is wrong.
        error: PciAddressError,
    },
    /// A number out of its range.
    #[error("network {}: {field}: {value} is out of range, it must be {range}: correct it in the VM", Quoted(.network.as_str()))]
    Range {
        /// The network.
        network: NetworkName,
        /// The field.
        field: &'static str,
        /// Its value.
        value: i128,
        /// What it must be.
        range: &'static str,
    },
    /// The path that QEMU would get is too long.
    #[error("network {}: {error}: shorten the socket's file name (the device plugin's or driver's; 'vhost.sock' fits)", Quoted(.network.as_str()))]
    SocketPath {
        /// The network.
        network: NetworkName,
        /// What is wrong.
        error: PathError,
    },
    /// The socket is said to be where our links are.
    #[error(
        "network {}: its socket {} is in the directory of this sidecar's own links: the device plugin or driver must \
         publish the socket's real directory", Quoted(.network.as_str()), Quoted(.path)
    )]
    SocketAmongLinks {
        /// The network.
        network: NetworkName,
        /// The path.
        path: String,
    },
    /// Two NICs with one address.
    #[error("network {}: MAC address {mac} is also that of interface {}: set another macAddress on one of them", Quoted(.network.as_str()), Quoted(.other))]
    DuplicateMac {
        /// The network.
        network: NetworkName,
        /// The address.
        mac: MacAddr,
        /// The other interface.
        other: String,
    },
    /// Two NICs on one socket.
    #[error(
        "network {}: its socket {} is also that of network {}: each NIC needs a socket of its own; check that the VM \
         requests one device for each NIC", Quoted(.network.as_str()), Quoted(.path), Quoted(.other.as_str())
    )]
    DuplicateSocket {
        /// The network.
        network: NetworkName,
        /// The path.
        path: String,
        /// The other network.
        other: NetworkName,
    },
    /// The caller brought no attachment: a fault of this program.
    #[error("internal: network {} was planned without its attachment; please report this with the sidecar's version", Quoted(.network.as_str()))]
    Unresolved {
        /// The network.
        network: NetworkName,
    },
}

/// Names in quotes, with commas between them.
pub(super) fn quoted_list(names: &[String]) -> String {
    names.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>().join(", ")
}
