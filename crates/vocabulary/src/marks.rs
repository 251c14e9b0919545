//! The marks (`external_ids`) that the CNI plugin leaves on ports and interfaces in OVSDB, for those who read them.

use std::collections::BTreeMap;

/// Who owns a row.
pub const OWNER: &str = "vhostuser-owner";

/// Ours.
pub const OWNER_NAME: &str = "network-vhostuser-binding";

/// The network, as its NAD's configuration names it.
pub const NETWORK: &str = "vhostuser-network";

/// The runtime's name for the container.
pub const CONTAINER: &str = "vhostuser-container-id";

/// The container's network namespace: whether the sandbox is gone.
pub const NETNS: &str = "vhostuser-netns";

/// The interface in the pod.
pub const IFNAME: &str = "vhostuser-ifname";

/// The device.
pub const DEVICE: &str = "vhostuser-device";

/// The pod's namespace.
pub const POD_NAMESPACE: &str = "pod-namespace";

/// The pod.
pub const POD_NAME: &str = "pod-name";

/// Whether a row is ours.
pub fn is_ours(ids: &BTreeMap<String, String>) -> bool {
    ids.get(OWNER).is_some_and(|owner| owner == OWNER_NAME)
}
