//! `serve`: the sidecar.

use std::process::ExitCode;

use anyhow::Context;
use tracing::{error, info, warn};

use findings::exit;

use super::STRANGE_CONTAINER_NAME;
use crate::cli::ServeArgs;
use crate::hooks::{self, ExitReason, ServeConfig};
use host_io::logging;

pub(super) fn run(args: ServeArgs) -> ExitCode {
    let container_name = args.nics.container_name.clone().filter(|name| !name.is_empty());
    let (config, logging) = match args.check() {
        Ok(checked) => checked,
        Err(error) => return exit::fail(exit::USAGE, &format!("error: {error}")),
    };
    logging::start(logging);
    if let (Some(name), None) = (container_name, &config.container) {
        warn!(%name, "{STRANGE_CONTAINER_NAME}");
    }
    match serve(config) {
        Ok(ended) => {
            info!("ended: {ended}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(exit::FAILED)
        }
    }
}

/// One thread: a sidecar of a VM with dedicated CPUs gets a fifth of one.
fn serve(config: ServeConfig) -> anyhow::Result<ExitReason> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("the runtime cannot be started")?;
    Ok(runtime.block_on(hooks::serve(config))?)
}
