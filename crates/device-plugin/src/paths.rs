//! Default paths, as `--help` shows them.

pub(crate) const CONFIG: &str = "/etc/vhostuser/device-plugin.yaml";
pub(crate) const KUBELET_DIR: &str = "/var/lib/kubelet/device-plugins";
pub(crate) const POD_RESOURCES: &str = "/var/lib/kubelet/pod-resources/kubelet.sock";
/// The CNI plugin's program in the node image.
pub(crate) const CNI_PROGRAM: &str = "/usr/bin/vhostuser";
