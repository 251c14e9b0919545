use super::error::{PlanError, quoted_list};
use crate::attachment::Attachment;
use vocabulary::{MacAddr, NetworkName, QueuePairs, Quoted, SocketMode};

/// Something that works here and now but may not later. Logged, never returned; the derive is for `Display`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The VM asks for more queue pairs than a NIC may have.
    #[error(
        "multiqueue: {wanted} vCPUs need {wanted} queue pairs, but the NICs get {given} (DPDK supports at most 128; see \
         --max-queue-pairs)"
    )]
    QueuesCut {
        /// By KubeVirt's formula.
        wanted: u64,
        /// What the NICs get.
        given: QueuePairs,
    },
    /// More than one binding plugin: the number in the container's name, and with it the links' path, is random.
    #[error(
        "the VM uses several binding plugins ({}): KubeVirt numbers their sidecars at random for each pod, so a live \
         migration may not find the socket's path; use one binding plugin per VM", quoted_list(.names)
    )]
    SeveralBindings {
        /// Their names.
        names: Vec<String>,
    },
    /// A NIC that is not ours has the address of one of ours.
    #[error(
        "network '{network}': MAC address {mac} is also used by interface {}: unless the guest bonds the two, set \
         another macAddress on one of them", Quoted(.other)
    )]
    SharedMac {
        /// Our network.
        network: NetworkName,
        /// The address.
        mac: MacAddr,
        /// The other interface.
        other: String,
    },
    /// The socket's file name looks as if it were different on another node.
    #[error(
        "network '{network}': the socket's file name {} looks specific to this node; a live migration needs the same \
         file name on every node ('vhost.sock')", Quoted(.file_name)
    )]
    HostSpecificFileName {
        /// The network.
        network: NetworkName,
        /// The file name.
        file_name: String,
    },
    /// The MAC address is derived without a firmware UUID: from a manifest, not a running VMI.
    #[error(
        "network '{network}': its MAC address is derived from the VM's name, because the VM has no firmware UUID; \
         KubeVirt assigns one to a running VMI, and the address will then differ"
    )]
    MacWithoutFirmwareUuid {
        /// The network.
        network: NetworkName,
    },
    /// The VMI is being migrated: on the target the source's mode decides.
    #[error(
        "network '{network}': the VM is being migrated; if this is the target, the source's domain decides who listens, \
         and the socket here works only in mode {mode} ({})", .mode.both_ends()
    )]
    MigrationTarget {
        /// The network.
        network: NetworkName,
        /// The mode here.
        mode: SocketMode,
    },
    /// The first call of a boot would be refused. A migration target is not, because the VM may have run since before
    /// this rule, nor is a later call, because an earlier one was answered.
    #[error("the next boot will be refused: {0}")]
    NotRefused(PlanError),
    /// Another sidecar's network cannot be used; it gets no link from us.
    #[error("no link for another sidecar's network {}: {reason}", Quoted(.network))]
    OtherSkipped {
        /// The network, as the source calls it.
        network: String,
        /// Why.
        reason: String,
    },
}

/// Warns of a container id, a pod UID or the like: twelve or more hex digits in a row, ignoring dashes.
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
