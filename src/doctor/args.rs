use clap::Args;

use crate::config::{HookDirs, SourceArgs};

/// The flags of `doctor pod`: where to look. Their defaults are the sidecar's.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct PodArgs {
    #[command(flatten)]
    pub(super) hook_dirs: HookDirs,
    #[command(flatten)]
    pub(super) sources: SourceArgs,
    /// This container's name
    #[arg(long, value_name = "NAME", env = "CONTAINER_NAME", default_value = "", hide_default_value = true)]
    pub(super) container_name: String,
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
}
