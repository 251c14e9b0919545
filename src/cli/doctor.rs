//! The flags of `doctor`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand};

/// Where to look.
#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// Look at this VM's pod, from its sidecar or its compute container: hook directory, network-info, links
    Pod(DoctorPodArgs),
    /// Print which command inspects a node: `vhostuser-device-plugin doctor`
    Node,
}

/// The flags of `doctor pod`.
#[derive(Debug, Args)]
pub struct DoctorPodArgs {
    /// The directory for hook sockets and links, as this container sees it
    #[arg(long, value_name = "DIR", env = "VHOSTUSER_HOOK_DIR", default_value = "/var/run/kubevirt-hooks")]
    pub hook_dir: PathBuf,
    /// The root of the same volume as the compute container sees it
    #[arg(
        long,
        value_name = "DIR",
        env = "VHOSTUSER_COMPUTE_HOOK_DIR",
        default_value = "/var/run/kubevirt-hooks"
    )]
    pub compute_hook_dir: String,
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
    /// This container's name
    #[arg(long, value_name = "NAME", env = "CONTAINER_NAME")]
    pub container_name: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}
