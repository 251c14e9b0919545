//! `render`: the hook's answer, offline.

use std::{fs, path::Path, process::ExitCode};

use similar::TextDiff;

use findings::exit;
use host_io::console::complain;

use super::{STRANGE_CONTAINER_NAME, manifest};
use crate::attachment::Problem;
use crate::cli::RenderArgs;
use crate::config::NicConfig;
use crate::define::{self, Prepared};
use crate::plan::{Plan, Warning};
use crate::resolve::{ResolveError, Resolved, resolve_now};
use crate::vmi::{NetworkSource, Vmi};
use vocabulary::Quoted;

/// How a rendering ends that gives no answer.
enum Failure {
    Usage(String),
    Refused(String),
}

pub(super) fn run(args: RenderArgs) -> ExitCode {
    let nics = match args.check_nics() {
        Ok(nics) => nics,
        Err(error) => return exit::fail(exit::USAGE, &format!("error: {error}")),
    };
    if let (Some(name), None) =
        (args.nics.container_name.as_deref().filter(|name| !name.is_empty()), args.nics.container())
    {
        complain(&format!("warning: {}: {STRANGE_CONTAINER_NAME}", Quoted(name)));
    }
    match render(&args, &nics) {
        Ok(output) => exit::output(&output),
        Err(Failure::Usage(message)) => exit::fail(exit::USAGE, &format!("error: {message}")),
        Err(Failure::Refused(message)) => exit::fail(exit::FAILED, &message),
    }
}

fn render(args: &RenderArgs, nics: &NicConfig) -> Result<Vec<u8>, Failure> {
    let manifest = read("--vmi", &args.vmi)?;
    let domain = read("--domain", &args.domain)?;
    let json =
        manifest::vmi_json(&manifest).map_err(|problem| Failure::Refused(format!("VMI: {problem}")))?;
    let vmi = Vmi::parse(&json).map_err(refused)?;
    let Some(prepared) = define::prepare(&vmi, &domain, nics).map_err(refused)? else {
        return Ok(if args.diff { Vec::new() } else { domain });
    };
    let resolved = resolve(&prepared, args)?;
    let defined = prepared.define(&resolved.own, &resolved.others, nics).map_err(refused)?;
    for warning in warnings(&defined.plan, &resolved) {
        complain(&format!("warning: {warning}"));
    }
    if args.diff {
        Ok(diff(&String::from_utf8_lossy(&domain), &defined.xml, &defined.plan, nics).into_bytes())
    } else {
        Ok(defined.xml.into_bytes())
    }
}

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::Usage(format!("{flag} {}: {error}", path.display())))
}

fn refused(error: impl std::fmt::Display) -> Failure {
    Failure::Refused(error.to_string())
}

fn resolve(prepared: &Prepared<'_>, args: &RenderArgs) -> Result<Resolved, Failure> {
    for request in &prepared.requests.nics {
        let (flag, given) = match request.source {
            NetworkSource::Claim(_) => ("--dra-dir", args.dra_dir.is_some()),
            _ => ("--network-info", args.network_info.is_some()),
        };
        if !given {
            return Err(Failure::Usage(format!("network '{}' needs {flag}", request.network)));
        }
    }
    let network_info = match args.network_info.as_deref() {
        Some(path) => Some((path, read("--network-info", path)?)),
        None => None,
    };
    let network_info = network_info.as_ref().map(|(path, bytes)| (*path, bytes.as_slice()));
    if let Some(dir) = &args.dra_dir {
        fs::read_dir(dir).map_err(|error| Failure::Usage(format!("--dra-dir {}: {error}", dir.display())))?;
    }
    let resolved = resolve_now(prepared.vmi, &prepared.requests.nics, network_info, args.dra_dir.as_deref());
    resolved.map_err(|error| match &error {
        ResolveError::Refused(inner) if matches!(inner.problem, Problem::Unreadable(_)) => {
            Failure::Usage(error.to_string())
        }
        _ => refused(error),
    })
}

fn warnings<'a>(plan: &'a Plan, resolved: &'a Resolved) -> impl Iterator<Item = &'a Warning> {
    plan.warnings.iter().chain(&resolved.warnings)
}

fn diff(before: &str, after: &str, plan: &Plan, nics: &NicConfig) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut text = diff.unified_diff().context_radius(3).header("domain before", "domain after").to_string();
    for link in plan.links.iter().chain(&plan.other_links) {
        text += &format!("link {}/{} -> {}\n", nics.layout.links, link.name, link.target);
    }
    text
}
