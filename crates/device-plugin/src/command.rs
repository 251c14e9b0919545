//! The command line of `vhostuser-device-plugin`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::{Level, error, info};

use super::{
    config::Config,
    daemon::{self, Settings},
    install::{Done, install},
    kubelet,
    root::SocketRoot,
};
use crate::doctor::{self, command::DoctorArgs};
use host_io::console;
use host_io::logging::{self, Format, Logging};

/// It cannot go on; the reason is on standard error.
const FAILED: u8 = 1;

/// Wrong usage, or a configuration with mistakes.
const USAGE: u8 = 2;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "vhostuser-device-plugin",
    version,
    about = "Gives pods vhost-user socket directories by way of the kubelet's device plugin API.",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Place the CNI plugin's program on the node, and end
    ///
    /// The runtime sees the old program or the new one, whole. One that is the same already is left alone.
    InstallCni(InstallArgs),
    /// Say what is wrong with this node, where, and the command that mends it
    ///
    /// Changes nothing. Exit code 0: nothing is wrong; 1: there are findings; 2: wrong usage, or it cannot look.
    Doctor(DoctorArgs),
}

#[derive(Debug, Args)]
struct InstallArgs {
    /// The program
    #[arg(long, value_name = "FILE", default_value = "/usr/bin/vhostuser")]
    from: PathBuf,
    /// The node's directory of CNI plugins
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The configuration file (YAML)
    #[arg(long, value_name = "FILE", default_value = "/etc/vhostuser/device-plugin.yaml")]
    config: PathBuf,
    /// Check the configuration, and end: 0 if it is right, 2 with every mistake if it is not
    #[arg(long)]
    check: bool,
    /// The kubelet's directory of device plugins
    #[arg(long, value_name = "DIR", default_value = "/var/lib/kubelet/device-plugins")]
    kubelet_dir: PathBuf,
    /// The kubelet's PodResources socket
    #[arg(long, value_name = "SOCKET", default_value = super::POD_RESOURCES)]
    pod_resources: PathBuf,
    /// Namespace of the pod in which this runs (downward API): with the name, it proves that the kubelet's list is whole
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE", requires = "pod_name")]
    pod_namespace: Option<String>,
    /// Name of that pod
    #[arg(long, value_name = "NAME", env = "POD_NAME", requires = "pod_namespace")]
    pod_name: Option<String>,
    /// Where device-info files go
    #[arg(long, value_name = "DIR", default_value = vocabulary::device_info::DEVICE_PLUGIN_DIR)]
    device_info_dir: PathBuf,
    /// Address of /metrics, /healthz and /readyz
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9310")]
    listen: SocketAddr,
    /// How events are written to standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Json)]
    log_format: LogFormat,
    /// The least important level that is written: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value_t = Level::INFO)]
    log_level: Level,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Json,
    Text,
}

/// Does what the command line says.
pub fn run(cli: Cli) -> ExitCode {
    match cli.command {
        Some(Command::InstallCni(args)) => install_cni(&args.from, &args.to),
        Some(Command::Doctor(args)) => doctor::command::run(args),
        None => run_server(cli.serve),
    }
}

fn install_cni(from: &Path, to: &Path) -> ExitCode {
    let (what, code) = match install(from, to) {
        Ok(Done::Installed) => {
            (format!("installed {} in {}", from.display(), to.display()), ExitCode::SUCCESS)
        }
        Ok(Done::Unchanged) => {
            (format!("{} is in {} already", from.display(), to.display()), ExitCode::SUCCESS)
        }
        Err(error) => (format!("error: {error}"), ExitCode::from(FAILED)),
    };
    console::complain(&what);
    code
}

fn run_server(cli: ServeArgs) -> ExitCode {
    let config = match read(&cli.config).and_then(|config| fits(config, &cli.kubelet_dir)) {
        Ok(config) => config,
        Err(message) => return complain(&message),
    };
    if cli.check {
        return ExitCode::SUCCESS;
    }
    let format = match cli.log_format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    let _flush = logging::start(Logging { format, level: cli.log_level });
    let settings = Settings {
        config,
        own_pod: cli.pod_namespace.zip(cli.pod_name),
        kubelet_dir: cli.kubelet_dir,
        pod_resources: cli.pod_resources,
        device_info_dir: cli.device_info_dir,
        listen: cli.listen,
    };
    match serve(settings) {
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

fn read(path: &PathBuf) -> Result<Config, String> {
    let shown = path.display();
    let yaml = fs::read_to_string(path)
        .map_err(|error| format!("{shown}: {error}: name the configuration file with --config"))?;
    Config::parse(&yaml).map_err(|mistakes| format!("{shown}: {mistakes}"))
}

/// The names of our sockets in the kubelet's directory depend on both.
fn fits(config: Config, kubelet_dir: &Path) -> Result<Config, String> {
    let names = config.resources.iter().map(|ports| &ports.name).chain(&config.dataplane);
    for name in names {
        kubelet::socket_path(kubelet_dir, &config.full_name(name)).map_err(|error| error.to_string())?;
    }
    Ok(config)
}

/// One thread: there is nothing to compute, and no step of one call comes between the steps of another.
fn serve(settings: Settings) -> anyhow::Result<()> {
    let root = SocketRoot::prepare(&settings.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    Ok(runtime.block_on(daemon::run(settings, root))?)
}

fn complain(message: &str) -> ExitCode {
    console::complain(&format!("error: {message}"));
    ExitCode::from(USAGE)
}
