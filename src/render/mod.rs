//! `render`: the hook's answer, offline.

mod manifest;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use similar::TextDiff;

use crate::attachment::{Problem, Resolved, Seen, resolve_now};
use crate::config::{ContainerName, HookDirs, NicConfig, NicDefaults, STRANGE_CONTAINER_NAME};
use crate::define::{self, Prepared};
use crate::downwardapi::NetworkInfo;
use crate::plan::Plan;
use crate::vmi::{NetworkSource, Vmi};
use findings::exit;
use host_io::console::complain;
use vocabulary::Quoted;

/// The flags of `render`. Unlike in the sidecar, the names that KubeVirt sets are not read from the environment.
#[derive(Debug, Args)]
pub struct RenderArgs {
    /// A VirtualMachineInstance, or a VirtualMachine (its template), as JSON or YAML
    #[arg(long, value_name = "FILE")]
    vmi: PathBuf,
    /// The libvirt domain that KubeVirt would send
    #[arg(long, value_name = "FILE")]
    domain: PathBuf,
    /// The downward API file; required if a NIC is on a Multus network
    #[arg(long, value_name = "FILE")]
    network_info: Option<PathBuf>,
    /// The folder with device metadata; required if a NIC is on a DRA claim
    #[arg(long, value_name = "DIR")]
    dra_dir: Option<PathBuf>,
    /// Print the changes as a unified diff, and the links that would be created
    #[arg(long)]
    diff: bool,
    #[command(flatten)]
    hook_dirs: HookDirs,
    /// The name this binding is registered under; if not set: 'vhostuser' if a NIC uses it, else the VM's only binding
    #[arg(long, value_name = "NAME")]
    binding_name: Option<String>,
    /// The sidecar container's name, 'hook-sidecar-N'
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    container_name: String,
    #[command(flatten)]
    nics: NicDefaults,
}

/// Why there is no output.
enum Failure {
    Usage(String),
    Refused(String),
}

/// Prints what the hook would answer.
pub fn run(args: &RenderArgs) -> ExitCode {
    let container = ContainerName::parse(&args.container_name);
    if container.is_none() && !args.container_name.is_empty() {
        warn(format_args!("--container-name {}: {STRANGE_CONTAINER_NAME}", Quoted(&args.container_name)));
    }
    let layout = args.hook_dirs.layout(container.as_ref());
    match render(args, &NicConfig::new(args.binding_name.clone(), layout, args.nics)) {
        Ok(output) => exit::output(&output),
        Err(Failure::Usage(message)) => exit::fail(exit::USAGE, &format!("error: {message}")),
        Err(Failure::Refused(message)) => exit::fail(exit::FAILED, &message),
    }
}

fn warn(warning: impl std::fmt::Display) {
    complain(&format!("warning: {warning}"));
}

fn render(args: &RenderArgs, nics: &NicConfig) -> Result<Vec<u8>, Failure> {
    let manifest = read("--vmi", &args.vmi)?;
    let domain = read("--domain", &args.domain)?;
    let json =
        manifest::vmi_json(&manifest).map_err(|problem| Failure::Refused(format!("VMI: {problem}")))?;
    json.warning.into_iter().for_each(warn);
    let vmi = Vmi::parse(&json.vmi).map_err(refused)?;
    let Some(mut prepared) = define::prepare(&vmi, &domain, nics).map_err(refused)? else {
        return Ok(if args.diff { Vec::new() } else { domain });
    };
    let resolved = resolve(&prepared, args)?;
    prepared.requests.unusable.clone_from(&resolved.unusable);
    let defined = prepared.define(&resolved.own, &resolved.others, nics).map_err(refused)?;
    defined.plan.warnings.iter().chain(&resolved.warnings).for_each(warn);
    if args.diff {
        Ok(diff(&String::from_utf8_lossy(&domain), &defined.xml, &defined.plan, nics).into_bytes())
    } else {
        Ok(defined.xml.into_bytes())
    }
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| unreadable(flag, path, &error))
}

fn unreadable(flag: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{flag} {}: {error}", path.display()))
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Refused(error.to_string())
}

fn resolve(prepared: &Prepared<'_>, args: &RenderArgs) -> Result<Resolved, Failure> {
    let RenderArgs { network_info, dra_dir, .. } = args;
    for request in &prepared.requests.nics {
        let (flag, given) = match request.source {
            NetworkSource::Claim(_) => ("--dra-dir", dra_dir.is_some()),
            _ => ("--network-info", network_info.is_some()),
        };
        if !given {
            return Err(Failure::Usage(format!("network '{}' needs {flag}", request.network)));
        }
    }
    let bytes = network_info.as_deref().map(|path| read("--network-info", path)).transpose()?;
    if let Some(dir) = dra_dir {
        fs::read_dir(dir).map_err(|error| unreadable("--dra-dir", dir, &error))?;
    }
    let file = network_info.as_deref().unwrap_or(Path::new("network-info")).display().to_string();
    let info = NetworkInfo::parse(bytes.as_deref().unwrap_or_default(), &file);
    let seen = Seen::new(file, info, prepared.vmi, dra_dir.as_deref());
    let resolved = resolve_now(prepared.vmi, &prepared.requests.nics, &seen);
    resolved.map_err(|error| match error.at.problem {
        Problem::Unreadable(_) => Failure::Usage(error.to_string()),
        _ => refused(error),
    })
}

fn diff(before: &str, after: &str, plan: &Plan, nics: &NicConfig) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = diff.unified_diff().context_radius(3).header("domain before", "domain after").to_string();
    for link in plan.links.iter().chain(&plan.other_links) {
        text += &format!("link {}/{} -> {}\n", nics.layout.links, link.name, link.target);
    }
    text
}
