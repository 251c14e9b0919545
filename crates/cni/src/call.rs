use std::{path::Path, time::Instant};

use serde_json::Value;

use super::{environment::Environment, version::Version};

/// One call of the plugin, with everything that came with it.
#[derive(Debug, Clone, Copy)]
pub struct Call<'c> {
    /// The environment.
    pub environment: &'c Environment,
    /// The network configuration.
    pub config: &'c Value,
    /// The same as it came, for the IPAM plugin.
    pub stdin: &'c [u8],
    /// The version that the answer must have.
    pub version: Version,
    /// When it began.
    pub started: Instant,
    /// Where device plugins leave device-info.
    pub plugin_dir: &'c Path,
}
