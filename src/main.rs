//! The sidecar's command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use network_vhostuser_binding::{
    doctor::{self, DoctorCommand},
    render::{self, RenderArgs},
    serve::{self, ServeArgs},
};

#[derive(Parser)]
#[command(
    name = "network-vhostuser-binding",
    version,
    about = "KubeVirt network binding plugin: gives VMs vhost-user NICs on a userspace dataplane (OVS-DPDK).",
    long_about = "KubeVirt network binding plugin: gives VMs vhost-user NICs on a userspace dataplane (OVS-DPDK).\n\n\
        As a sidecar it needs no arguments: KubeVirt starts it in the VM's pod, and it answers the OnDefineDomain hook \
        until the VM is gone. The flags are for derived images, tests and 'render', which prints offline what the hook \
        would answer. A flag overrides its environment variable.",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve KubeVirt's hooks (the default)
    Serve(ServeArgs),
    /// Print the domain that the hook would answer with, offline
    ///
    /// Reads only the named files, never waits and changes nothing. Exit code 0: the answer is on standard output;
    /// 1: the hook would refuse, and the reason is on standard error; 2: invalid usage or an unreadable file.
    Render(RenderArgs),
    /// Diagnose this pod: what is wrong, where, and how to fix it
    ///
    /// Changes nothing. Exit code 0: no problems found; 1: problems found; 2: invalid usage.
    #[command(subcommand)]
    Doctor(DoctorCommand),
}

/// `serve` by itself.
#[derive(Parser)]
struct Sidecar {
    #[command(flatten)]
    serve: ServeArgs,
}

fn main() -> ExitCode {
    // To build the other commands, too, would cost a sidecar as much as all else at its start. Whatever is wrong, and
    // --help, is left to the whole.
    if let Ok(Sidecar { serve }) = Sidecar::try_parse() {
        return serve::run(serve);
    }
    let Cli { command, serve } = Cli::parse();
    match command {
        None => serve::run(serve),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Render(args)) => render::run(&args),
        Some(Command::Doctor(command)) => doctor::run(command),
    }
}
