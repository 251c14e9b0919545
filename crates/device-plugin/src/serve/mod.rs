//! Serving: reads the configuration, prepares the socket root, runs the daemon.

mod args;
mod daemon;

use std::{fs, path::Path, process::ExitCode};

use findings::exit;
use host_io::logging::{self, Logging};
use tracing::{error, info};

pub(crate) use args::Args;

use crate::{config::Config, kubelet, root::SocketRoot};

/// It cannot go on; the reason is in the log.
const FAILED: u8 = 1;

pub(crate) fn run(args: Args) -> ExitCode {
    let config = match read(&args.config, &args.kubelet_dir) {
        Ok(config) => config,
        Err(message) => return exit::fail(exit::USAGE, &format!("error: {message}")),
    };
    if args.check {
        return ExitCode::SUCCESS;
    }
    let _flush = logging::start(Logging { format: args.log_format.into(), level: args.log_level });
    match serve(&args, config) {
        Ok(()) => {
            info!("ended");
            ExitCode::SUCCESS
        }
        Err(error) => {
            error!("{error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn read(path: &Path, kubelet_dir: &Path) -> Result<Config, String> {
    let shown = path.display();
    let yaml = fs::read_to_string(path)
        .map_err(|error| format!("{shown}: {error}: pass the configuration file with --config"))?;
    let config = Config::parse(&yaml).map_err(|mistakes| format!("{shown}: {mistakes}"))?;
    // The names of our sockets in the kubelet's directory depend on both.
    for name in config.resources.iter().map(|ports| &ports.name).chain(&config.dataplane) {
        kubelet::socket_path(kubelet_dir, &config.full_name(name)).map_err(|error| error.to_string())?;
    }
    Ok(config)
}

/// One thread: there is nothing to compute, and no step of one call comes between the steps of another.
fn serve(args: &Args, config: Config) -> anyhow::Result<()> {
    let root = SocketRoot::prepare(&config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(daemon::run(args, config, root))
}
