//! `serve`: the sidecar.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use tracing::{Level, error, info, warn};

use crate::config::{
    ContainerName, HookDirs, NicConfig, NicDefaults, STRANGE_CONTAINER_NAME, SourceArgs, Sources, parse_wait,
};
use crate::hooks::{self, ExitReason, ServeConfig};
use findings::exit;
use host_io::logging::{self, Format, Logging};

/// The flags of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    sources: SourceArgs,
    /// How long a hook call may wait for device-info or metadata, at most 8s
    #[arg(long, value_name = "TIME", env = "VHOSTUSER_WAIT", default_value = "8s", value_parser = parse_wait)]
    wait: Duration,
    /// Log format on standard error: json or text
    #[arg(long, value_name = "FORMAT", env = "VHOSTUSER_LOG_FORMAT", default_value = "json")]
    log_format: Format,
    /// Minimum log level: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", env = "VHOSTUSER_LOG_LEVEL", default_value = "info", value_parser = logging::parse_level)]
    log_level: Level,
    #[command(flatten)]
    hook_dirs: HookDirs,
    /// The name this binding is registered under; if not set: 'vhostuser' if a NIC uses it, else the VM's only binding
    #[arg(long, value_name = "NAME", env = "NETWORK_BINDING_PLUGIN_NAME")]
    binding_name: Option<String>,
    /// This container's name, 'hook-sidecar-N' (KubeVirt 1.6 and later set it)
    #[arg(long, value_name = "NAME", env = "CONTAINER_NAME", default_value = "", hide_default_value = true)]
    container_name: String,
    #[command(flatten)]
    nics: NicDefaults,
}

/// Serves until the VM is gone.
pub fn run(args: ServeArgs) -> ExitCode {
    let _flush = logging::start(Logging { format: args.log_format, level: args.log_level });
    let container = ContainerName::parse(&args.container_name);
    if container.is_none() && !args.container_name.is_empty() {
        warn!(name = args.container_name, "{STRANGE_CONTAINER_NAME}");
    }
    match serve(config(args, container)) {
        Ok(reason) => {
            info!("ended: {reason}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(exit::FAILED)
        }
    }
}

fn config(args: ServeArgs, container: Option<ContainerName>) -> ServeConfig {
    let ServeArgs { sources, wait, hook_dirs, binding_name, nics, .. } = args;
    let SourceArgs { network_info, dra_dir } = sources;
    ServeConfig {
        nics: NicConfig::new(binding_name, hook_dirs.layout(container.as_ref()), nics),
        hook_dir: (!hook_dirs.without_hooks).then_some(hook_dirs.hook_dir),
        plugin_socket: hook_dirs.plugin_socket,
        container,
        sources: Sources { network_info, dra_dir, wait },
    }
}

/// One thread: a sidecar of a VM with dedicated CPUs gets a fifth of one.
fn serve(config: ServeConfig) -> anyhow::Result<ExitReason> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("cannot start the async runtime")?;
    Ok(runtime.block_on(hooks::serve(config))?)
}
