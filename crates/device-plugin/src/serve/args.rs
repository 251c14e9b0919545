//! The arguments of serving.

use std::{net::SocketAddr, path::PathBuf};

use clap::ValueEnum;
use host_io::logging::Format;
use tracing::Level;

use crate::paths;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration file (YAML)
    #[arg(long, value_name = "FILE", default_value = paths::CONFIG)]
    pub(super) config: PathBuf,
    /// Validate the configuration and exit (0 valid, 2 invalid, all errors printed)
    #[arg(long)]
    pub(super) check: bool,
    /// The kubelet's directory of device plugins
    #[arg(long, value_name = "DIR", default_value = paths::KUBELET_DIR)]
    pub(super) kubelet_dir: PathBuf,
    /// The kubelet's PodResources socket
    #[arg(long, value_name = "SOCKET", default_value = paths::POD_RESOURCES)]
    pub(super) pod_resources: PathBuf,
    /// Namespace of the plugin's own pod (downward API); used with its name to check that the kubelet's list is complete
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", requires = "pod_name")]
    pub(super) pod_namespace: Option<String>,
    /// Name of the plugin's own pod
    #[arg(long, value_name = "NAME", env = "POD_NAME", requires = "pod_namespace")]
    pub(super) pod_name: Option<String>,
    /// Directory for device-info files
    #[arg(long, value_name = "DIR", default_value = vocabulary::device_info::DEVICE_PLUGIN_DIR)]
    pub(super) device_info_dir: PathBuf,
    /// Address of /metrics, /healthz and /readyz; the default is every address, IPv6 and IPv4
    #[arg(long, value_name = "ADDRESS", default_value = "[::]:9310")]
    pub(super) listen: SocketAddr,
    /// Format of the log on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    pub(super) log_format: LogFormat,
    /// Minimum log level: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value_t = Level::INFO)]
    pub(super) log_level: Level,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    Json,
    Text,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Text => Self::Text,
        }
    }
}
