//! Flags and environment, raw: every value is a text. A private part turns them into configuration, telling all that is
//! wrong in one message. The only part, with [`crate::commands`], that knows `clap`.

mod checked;
mod doctor;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};

pub use checked::BadSettings;
pub use doctor::{DoctorCommand, DoctorPodArgs};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "network-vhostuser-binding",
    version,
    about = "KubeVirt network binding plugin: gives VMs vhost-user NICs on a userspace dataplane (OVS-DPDK).",
    long_about = "KubeVirt network binding plugin: gives VMs vhost-user NICs on a userspace dataplane (OVS-DPDK).\n\n\
        As a sidecar it needs no arguments: KubeVirt starts it in the VM's pod, and it answers the OnDefineDomain hook \
        until the VM is gone. The flags serve derived images, tests and 'render', which shows offline what the hook \
        would answer. Each flag also has an environment variable; the flag wins.",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do; `serve` without a word.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The flags of `serve`.
    #[command(flatten)]
    pub serve: ServeArgs,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve KubeVirt's hooks (the default)
    Serve(ServeArgs),
    /// Print the domain that the hook would answer with, offline
    ///
    /// Reads only the files that are named, never waits and changes nothing. Exit code 0: the answer is on standard
    /// output; 1: the hook would refuse, its error text is on standard error; 2: wrong usage or an unreadable file.
    Render(RenderArgs),
    /// Say what is wrong here, where, and the command that mends it
    ///
    /// Changes nothing. Exit code 0: nothing is wrong; 1: there are findings; 2: wrong usage, or it cannot look.
    #[command(subcommand)]
    Doctor(DoctorCommand),
}

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The downward API file with the device-info of the VM's Multus networks
    #[arg(
        long,
        value_name = "FILE",
        env = "VHOSTUSER_NETWORK_INFO",
        default_value = "/etc/podinfo/network-info"
    )]
    pub network_info: OsString,
    /// The folder with the device metadata of the VM's DRA claims
    #[arg(
        long,
        value_name = "DIR",
        env = "VHOSTUSER_DRA_DIR",
        default_value = "/var/run/kubernetes.io/dra-device-attributes"
    )]
    pub dra_dir: OsString,
    /// The most time one hook call waits for them, up to 8s
    #[arg(long, value_name = "TIME", env = "VHOSTUSER_WAIT", default_value = "8s")]
    pub wait: String,
    /// json or text, on standard error
    #[arg(long, value_name = "FORMAT", env = "VHOSTUSER_LOG_FORMAT", default_value = "json")]
    pub log_format: String,
    /// error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", env = "VHOSTUSER_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// What NICs get.
    #[command(flatten)]
    pub nics: NicArgs,
}

/// The flags of `render`.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// A VirtualMachineInstance, or a VirtualMachine (its template), as JSON or YAML
    #[arg(long, value_name = "FILE")]
    pub vmi: PathBuf,
    /// The libvirt domain that KubeVirt would send
    #[arg(long, value_name = "FILE")]
    pub domain: PathBuf,
    /// The downward API file; needed if a NIC is on a Multus network
    #[arg(long, value_name = "FILE")]
    pub network_info: Option<PathBuf>,
    /// The folder with device metadata; needed if a NIC is on a DRA claim
    #[arg(long, value_name = "DIR")]
    pub dra_dir: Option<PathBuf>,
    /// Print what would change as a unified diff, and the links that would be made
    #[arg(long)]
    pub diff: bool,
    /// What NICs get.
    #[command(flatten)]
    pub nics: NicArgs,
}

/// The flags that decide what a NIC gets.
#[derive(Debug, Args)]
pub struct NicArgs {
    /// The directory for hook sockets and links, as this container sees it
    #[arg(long, value_name = "DIR", env = "VHOSTUSER_HOOK_DIR", default_value = "/var/run/kubevirt-hooks")]
    pub hook_dir: OsString,
    /// The root of the same volume as the compute container sees it; '/CONTAINER_NAME', else '/hook-sidecar-0', is appended
    #[arg(
        long,
        value_name = "DIR",
        env = "VHOSTUSER_COMPUTE_HOOK_DIR",
        default_value = "/var/run/kubevirt-hooks"
    )]
    pub compute_hook_dir: String,
    /// The name this binding is registered under; without it 'vhostuser', else the VM's only binding
    #[arg(long, value_name = "NAME", env = "NETWORK_BINDING_PLUGIN_NAME")]
    pub binding_name: Option<String>,
    /// This container's name, 'hook-sidecar-N' (KubeVirt 1.6 and later set it)
    #[arg(long, value_name = "NAME", env = "CONTAINER_NAME")]
    pub container_name: Option<String>,
    /// Descriptors in each receive ring: 256, 512 or 1024
    #[arg(long, value_name = "N", env = "VHOSTUSER_RX_QUEUE_SIZE", default_value = "1024")]
    pub rx_queue_size: String,
    /// Descriptors in each transmit ring: 256, 512 or 1024
    #[arg(long, value_name = "N", env = "VHOSTUSER_TX_QUEUE_SIZE", default_value = "1024")]
    pub tx_queue_size: String,
    /// The most queue pairs of a multiqueue NIC, 1 to 128
    #[arg(long, value_name = "N", env = "VHOSTUSER_MAX_QUEUE_PAIRS", default_value = "128")]
    pub max_queue_pairs: String,
    /// Whole seconds between QEMU's attempts to connect, in client mode
    #[arg(long, value_name = "SECONDS", env = "VHOSTUSER_RECONNECT_TIMEOUT", default_value = "1")]
    pub reconnect_timeout: String,
    /// Name each NIC after its pod interface (libvirt's target dev); libvirt then logs two errors at each statistics poll
    #[arg(long, value_name = "BOOL", env = "VHOSTUSER_TARGET_DEV", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true")]
    pub target_dev: String,
}
