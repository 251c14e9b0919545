use std::path::PathBuf;

use crate::config::{ContainerName, NicConfig, PluginSocket, Sources};

/// The hook server's configuration.
#[derive(Debug, Clone)]
pub(crate) struct ServeConfig {
    /// Where the hook socket goes, as this container sees it. `None`: only the plugin framework is served.
    pub(crate) hook_dir: Option<PathBuf>,
    /// The socket of KubeVirt's plugin framework, served if its directory is there.
    pub(crate) plugin_socket: PluginSocket,
    /// Our container's name, where KubeVirt sets it (≥ 1.6).
    pub(crate) container: Option<ContainerName>,
    /// Where attachments are recorded.
    pub(crate) sources: Sources,
    /// What NICs get.
    pub(crate) nics: NicConfig,
}
