//! The flags that several subcommands share, with their defaults and environment variables, and what they configure.

mod layout;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{ArgAction, Args};

use vocabulary::{ComputePath, Expected, QueuePairs, ReconnectTimeout, RingSize};

pub(crate) use layout::STRANGE_CONTAINER_NAME;
pub use layout::{ContainerName, Layout, PluginSocket};

/// Where KubeVirt mounts the hook volume, in the sidecar and in compute.
const HOOK_DIR: &str = "/var/run/kubevirt-hooks";

/// KubeVirt allows paths below `/var/run/kubevirt-plugin/<plugin>/` only. The plugin is the one of `manifests/plugin`.
const PLUGIN_SOCKET: &str = "/var/run/kubevirt-plugin/vhostuser/vhostuser.sock";

/// The longest and the default wait of one hook call: virt-handler gives the call around it 20 s, and the next
/// sidecar needs its share.
const WAIT_MAX: Duration = Duration::from_secs(8);

/// What a NIC gets when neither the VMI nor an annotation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct NicDefaults {
    /// Descriptors in each receive ring: 256, 512 or 1024
    #[arg(long, value_name = "N", env = "VHOSTUSER_RX_QUEUE_SIZE", default_value_t = RingSize::MAX)]
    pub rx_queue_size: RingSize,
    /// Descriptors in each transmit ring: 256, 512 or 1024
    #[arg(long, value_name = "N", env = "VHOSTUSER_TX_QUEUE_SIZE", default_value_t = RingSize::MAX)]
    pub tx_queue_size: RingSize,
    /// Maximum number of queue pairs of a multiqueue NIC, 1 to 128
    #[arg(long, value_name = "N", env = "VHOSTUSER_MAX_QUEUE_PAIRS", default_value_t = QueuePairs::MAX)]
    pub max_queue_pairs: QueuePairs,
    /// Seconds between QEMU's attempts to connect in client mode, 1 to 3600
    #[arg(long, value_name = "SECONDS", env = "VHOSTUSER_RECONNECT_TIMEOUT", default_value_t = ReconnectTimeout::MIN)]
    pub reconnect_timeout: ReconnectTimeout,
    /// Name each NIC after its pod interface (libvirt's target dev); libvirt then logs two errors at each statistics poll
    #[arg(long, value_name = "BOOL", env = "VHOSTUSER_TARGET_DEV", action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_value_t = false, default_missing_value = "true")]
    pub target_dev: bool,
}

impl Default for NicDefaults {
    fn default() -> Self {
        Self {
            rx_queue_size: RingSize::MAX,
            tx_queue_size: RingSize::MAX,
            max_queue_pairs: QueuePairs::MAX,
            reconnect_timeout: ReconnectTimeout::MIN,
            target_dev: false,
        }
    }
}

/// The volumes that are shared with compute.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct HookDirs {
    /// The directory for hook sockets and links, as this container sees it
    #[arg(long, value_name = "DIR", env = "VHOSTUSER_HOOK_DIR", default_value = HOOK_DIR, value_parser = absolute)]
    pub hook_dir: PathBuf,
    /// The root of the same volume as the compute container sees it; $CONTAINER_NAME is appended ('hook-sidecar-0' if not set)
    #[arg(long, value_name = "DIR", env = "VHOSTUSER_COMPUTE_HOOK_DIR", default_value = HOOK_DIR, value_parser = in_compute)]
    pub compute_hook_dir: ComputePath,
    /// The socket for KubeVirt's plugin framework; served if its directory is mounted
    #[arg(long, value_name = "SOCKET", env = "VHOSTUSER_PLUGIN_SOCKET", default_value = PLUGIN_SOCKET, value_parser = PluginSocket::parse)]
    pub plugin_socket: PluginSocket,
    /// Serve only the plugin framework: no hook socket, and links in the directory of the plugin's socket
    #[arg(long, value_name = "BOOL", env = "VHOSTUSER_WITHOUT_HOOKS", action = ArgAction::Set, num_args = 0..=1,
          require_equals = true, default_value_t = false, default_missing_value = "true")]
    pub without_hooks: bool,
}

impl HookDirs {
    /// Where the links are, given our container's name.
    pub fn layout(&self, container: Option<&ContainerName>) -> Layout {
        match self.without_hooks {
            true => Layout::beside(&self.plugin_socket),
            false => Layout::new(self.hook_dir.clone(), &self.compute_hook_dir, container),
        }
    }

    /// The directory that must be mounted here.
    pub fn volume(&self) -> &Path {
        if self.without_hooks { self.plugin_socket.dir() } else { &self.hook_dir }
    }
}

/// Where attachments are recorded in the sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct SourceArgs {
    /// The downward API file with the device-info of the VM's Multus networks
    #[arg(
        long,
        value_name = "FILE",
        env = "VHOSTUSER_NETWORK_INFO",
        default_value = "/etc/podinfo/network-info"
    )]
    pub network_info: PathBuf,
    /// The folder with the device metadata of the VM's DRA claims
    #[arg(
        long,
        value_name = "DIR",
        env = "VHOSTUSER_DRA_DIR",
        default_value = "/var/run/kubernetes.io/dra-device-attributes"
    )]
    pub dra_dir: PathBuf,
}

/// Where attachments are recorded, and how long to wait for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The downward API file.
    pub network_info: PathBuf,
    /// The folder of DRA device metadata.
    pub dra_dir: PathBuf,
    /// The total time that one call may wait.
    pub wait: Duration,
}

/// Decides what NICs get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicConfig {
    /// The registered name of our binding, if it is known.
    pub binding_name: Option<String>,
    /// Where the links are.
    pub layout: Layout,
    /// What neither the VMI nor an annotation says.
    pub defaults: NicDefaults,
}

impl NicConfig {
    /// An empty binding name counts as none.
    pub fn new(binding_name: Option<String>, layout: Layout, defaults: NicDefaults) -> Self {
        Self { binding_name: binding_name.filter(|name| !name.is_empty()), layout, defaults }
    }
}

fn absolute(text: &str) -> Result<PathBuf, Expected> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err(Expected("an absolute path")) }
}

fn in_compute(text: &str) -> Result<ComputePath, Expected> {
    ComputePath::directory(text)
        .ok()
        .filter(layout::has_room_for_a_socket)
        .ok_or(Expected("an absolute path without '..' that leaves room for a socket's path of 107 bytes"))
}

pub(crate) fn parse_wait(text: &str) -> Result<Duration, Expected> {
    let number =
        |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    let wait = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => number(digits).map(Duration::from_millis),
        (None, Some(digits)) => number(digits).map(Duration::from_secs),
        (None, None) => None,
    };
    wait.filter(|wait| *wait <= WAIT_MAX).ok_or(Expected("a time like '500ms' or '8s', at most 8s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_wait("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_wait("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_wait("8s"), Ok(WAIT_MAX));
        for bad in ["8", "", "s", "-1s", "8.5s", "8001ms", "1m", "8 s", "+8s"] {
            assert!(parse_wait(bad).is_err(), "{bad}");
        }
    }
}
