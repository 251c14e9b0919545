//! How often virt-launcher calls `OnDefineDomain`, and with what (`virtwrap/manager.go`,
//! `virtwrap/live-migration-target.go`).

use std::time::Duration;

use tonic::Status;

use super::client::Client;
use super::devices::{assign_pci_addresses, with_placeholders, with_root_ports, with_unaliased_placeholders};
use super::discovery::{Layout, Pace};
use super::plugin::Pipeline;
use super::reduce::{parse, reduce, reduce_keeping_qemu_commandline};

/// Empty root ports that the last call's input has in addition; the number is of no interest to a sidecar.
const SPARE_ROOT_PORTS: usize = 2;

/// The releases by what they do to a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 1.3 to 1.5: flat hook directory, at most two calls.
    V1_5,
    /// 1.6.4 and later, 1.7.2 and later, 1.8, 1.9: a directory per sidecar, at most three calls.
    V1_8,
    /// The future 1.10: a last call always follows, and its interfaces have the addresses libvirt gave them.
    Main,
}

impl Release {
    /// All of them, the oldest first.
    pub const ALL: [Self; 3] = [Self::V1_5, Self::V1_8, Self::Main];

    /// The hook directory as discovery sees it.
    pub fn layout(self) -> Layout {
        match self {
            Self::V1_5 => Layout::Flat,
            Self::V1_8 | Self::Main => Layout::PerSidecar,
        }
    }

    /// Discovery's pace. (1.6 and 1.7 still sleep.)
    pub fn pace(self) -> Pace {
        match self {
            Self::V1_5 => Pace::SleepAfter(Duration::from_secs(1)),
            Self::V1_8 | Self::Main => Pace::TickBetween(Duration::from_millis(300)),
        }
    }

    fn with_placeholders(self, domain: &str, count: usize) -> String {
        match self {
            Self::V1_5 | Self::V1_8 => with_unaliased_placeholders(domain, count),
            Self::Main => with_placeholders(domain, count),
        }
    }

    /// The last call's input: what KubeVirt holds of the answer before it, and spare root ports.
    fn redefine(self, answer: &str) -> String {
        let reduced = match self {
            Self::V1_5 | Self::V1_8 => reduce(answer),
            Self::Main => assign_pci_addresses(&reduce_keeping_qemu_commandline(answer)),
        };
        with_root_ports(&reduced, SPARE_ROOT_PORTS)
    }
}

/// What the number of calls depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The KubeVirt that boots it.
    pub release: Release,
    /// See [`super::devices::placeholders_for`].
    pub placeholders: usize,
    /// False for s390x and i440fx, and for a VM whose devices are put on the root complex: exactly one call.
    pub pcie_hotplug: bool,
}

impl Machine {
    /// A q35 or arm64 machine.
    pub fn new(release: Release, placeholders: usize) -> Self {
        Self { release, placeholders, pcie_hotplug: true }
    }

    /// A machine without PCIe hot-plug.
    pub fn without_hotplug(release: Release) -> Self {
        Self { release, placeholders: 0, pcie_hotplug: false }
    }

    fn steps(self) -> &'static [Step] {
        match (self.pcie_hotplug, self.placeholders, self.release) {
            (false, _, _) | (true, 0, Release::V1_5) => &[Step::Fresh],
            (true, 0, _) => &[Step::Fresh, Step::Redefine],
            (true, _, Release::V1_5) => &[Step::Placeholders, Step::Fresh],
            (true, _, _) => &[Step::Placeholders, Step::Fresh, Step::Redefine],
        }
    }

    /// `None` after the last call.
    fn next_input(self, domain: &str, calls: &[Exchange]) -> Option<String> {
        let previous = calls.last().map(|call| call.answer.as_str());
        // KubeVirt re-parses every answer, so a malformed one ends the boot even where nothing else reads it.
        previous.map(parse);
        Some(match (self.steps().get(calls.len())?, previous) {
            (Step::Placeholders, _) => self.release.with_placeholders(domain, self.placeholders),
            (Step::Redefine, Some(answer)) => self.release.redefine(answer),
            (Step::Fresh | Step::Redefine, _) => domain.to_owned(),
        })
    }
}

/// The kinds of call.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// On a copy of the converter's output; the answer is defined and then forgotten.
    Placeholders,
    /// The converter's output.
    Fresh,
    /// The previous answer, cut down.
    Redefine,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The XML that was sent.
    pub given: String,
    /// The XML that came back, which libvirt is given as it is.
    pub answer: String,
}

/// A boot that a hook error ended.
#[derive(Debug)]
pub struct Refused<E> {
    /// What the hook said.
    pub error: E,
    /// The calls that went well. With none, a retry starts afresh; with one, libvirt keeps that call's
    /// domain and KubeVirt's retry starts it as it is, without asking any hook again.
    pub calls: Vec<Exchange>,
}

/// Boots `domain`, the converter's output, and returns every call. The last answer is what runs.
pub fn boot<E>(
    machine: Machine,
    domain: &str,
    mut hook: impl FnMut(&str) -> Result<String, E>,
) -> Result<Vec<Exchange>, Refused<E>> {
    let mut calls = Vec::new();
    while let Some(given) = machine.next_input(domain, &calls) {
        match hook(&given) {
            Ok(answer) => calls.push(Exchange { given, answer }),
            Err(error) => return Err(Refused { error, calls }),
        }
    }
    Ok(calls)
}

/// [`boot`] over the sockets of the pod's sidecars, each of which receives the answer of the one before it.
pub async fn boot_over(
    machine: Machine,
    domain: &str,
    sidecars: &[Client],
    vmi: &[u8],
) -> Result<Vec<Exchange>, Refused<Status>> {
    exchanges(machine, domain, async |given| through(sidecars, given, vmi).await).await
}

/// [`boot`] of a cluster with the gate `Plugins` and a `Plugin` object: each answer is what libvirt is given, and KubeVirt
/// goes on with what its structs hold of that.
pub async fn boot_through(
    machine: Machine,
    domain: &str,
    pipeline: &Pipeline<'_>,
    vmi: &[u8],
) -> Result<Vec<Exchange>, Refused<Status>> {
    exchanges(machine, domain, async |given| pipeline.define(given, vmi).await).await
}

async fn exchanges(
    machine: Machine,
    domain: &str,
    hook: impl AsyncFn(&str) -> Result<String, Status>,
) -> Result<Vec<Exchange>, Refused<Status>> {
    let mut calls = Vec::new();
    while let Some(given) = machine.next_input(domain, &calls) {
        match hook(&given).await {
            Ok(answer) => calls.push(Exchange { given, answer }),
            Err(error) => return Err(Refused { error, calls }),
        }
    }
    Ok(calls)
}

/// Prepares a migration target: one call whose error counts and whose answer does not, because the source's
/// XML runs.
pub fn migration_target<E>(domain: &str, hook: impl FnOnce(&str) -> Result<String, E>) -> Result<(), E> {
    hook(domain).map(drop)
}

/// [`migration_target`] over the sockets of the pod's sidecars.
pub async fn migration_target_over(domain: &str, sidecars: &[Client], vmi: &[u8]) -> Result<(), Status> {
    through(sidecars, domain, vmi).await.map(drop)
}

pub(super) async fn through(sidecars: &[Client], domain: &str, vmi: &[u8]) -> Result<String, Status> {
    let mut xml = domain.to_owned();
    for sidecar in sidecars {
        xml = sidecar.on_define_domain(xml, vmi).await?;
    }
    Ok(xml)
}
