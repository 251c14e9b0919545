//! From networks to attachments: one look at the files, or looking until they are there or the time is over.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    attachment::{Attachment, AttachmentError, NotReady, Problem},
    config::Sources,
    downwardapi::{self, NetworkInfo, Others},
    dra,
    plan::{Attachments, Note, Wish},
    vhostuser::NetworkName,
    vmi::{Claim, NetworkSource, Vmi},
};

/// Time between two looks, in milliseconds. kubelet needs seconds, a test or a full node wants the first ones quick.
const PAUSE: Duration = Duration::from_millis(50);

/// Attachments of our networks, and of those of other sidecars that the same sources list.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// Ours.
    pub own: Attachments,
    /// Others', as far as they are there and usable; never waited for.
    pub others: Attachments,
    /// What was left out.
    pub notes: Vec<Note>,
}

/// Why our networks could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Still not there when the time was over: a retry may do.
    #[error("{error}{}: {}{}", after(*.waited), remedy(.error, *.claim), target_hint(*.migrating, *.claim))]
    TimeOver {
        /// What is missing.
        error: Box<AttachmentError>,
        /// How long was waited.
        waited: Duration,
        /// The network is a DRA claim.
        claim: bool,
        /// The VMI is being migrated.
        migrating: bool,
    },
    /// There and wrong, or not readable.
    #[error(transparent)]
    Refused(Box<AttachmentError>),
}

/// The two places to look in.
struct Places<'p> {
    network_info: &'p Path,
    /// How to get at what is in it.
    read: &'p dyn Fn() -> Result<NetworkInfo, Problem>,
    dra_dir: Option<&'p Path>,
}

/// Looks until every wish has its attachment, at most `sources.wait`. Errors that waiting cannot mend end it at once.
pub async fn resolve(vmi: &Vmi, wishes: &[Wish], sources: &Sources) -> Result<Resolved, ResolveError> {
    let deadline = Instant::now() + sources.wait;
    loop {
        match look_at_files(vmi, wishes, sources) {
            Ok(resolved) => return Ok(resolved),
            Err(error) if !is_not_ready(&error) => return Err(ResolveError::Refused(error.into())),
            Err(error) if Instant::now() >= deadline => {
                return Err(time_over(vmi, wishes, error, sources.wait));
            }
            Err(_) => sleep(PAUSE.min(deadline - Instant::now())).await,
        }
    }
}

fn look_at_files(vmi: &Vmi, wishes: &[Wish], sources: &Sources) -> Result<Resolved, AttachmentError> {
    let Sources { network_info, dra_dir, wait: _ } = sources;
    let read = || read_network_info(network_info);
    look(vmi, wishes, &Places { network_info, read: &read, dra_dir: Some(dra_dir) })
}

/// Looks once, at a network-info that is in memory (with its name) and a metadata folder, if there are any.
pub fn resolve_now(
    vmi: &Vmi,
    wishes: &[Wish],
    network_info: Option<(&Path, &[u8])>,
    dra_dir: Option<&Path>,
) -> Result<Resolved, ResolveError> {
    let (file, bytes) = network_info.unwrap_or((Path::new("network-info"), b""));
    let read = || NetworkInfo::parse(bytes, &file.display().to_string()).map_err(Problem::NotReady);
    let places = Places { network_info: file, read: &read, dra_dir };
    look(vmi, wishes, &places).map_err(|error| {
        if is_not_ready(&error) {
            time_over(vmi, wishes, error, Duration::ZERO)
        } else {
            ResolveError::Refused(error.into())
        }
    })
}

fn is_not_ready(error: &AttachmentError) -> bool {
    matches!(error.problem, Problem::NotReady(_))
}

fn time_over(vmi: &Vmi, wishes: &[Wish], error: AttachmentError, waited: Duration) -> ResolveError {
    let is_claim =
        |wish: &Wish| wish.network == error.network && matches!(wish.source, NetworkSource::Claim(_));
    let claim = wishes.iter().any(is_claim);
    ResolveError::TimeOver { error: error.into(), waited, claim, migrating: vmi.migrating }
}

fn look(vmi: &Vmi, wishes: &[Wish], places: &Places<'_>) -> Result<Resolved, AttachmentError> {
    let mut resolved = Resolved::default();
    let own: Vec<NetworkName> = wishes.iter().map(|wish| wish.network.clone()).collect();
    let mut multus = Vec::new();
    for Wish { network, source, .. } in wishes {
        match source {
            NetworkSource::Claim(claim) => {
                let dra_dir = places.dra_dir.ok_or(Problem::NotReady(NotReady::Missing));
                let dra_dir =
                    dra_dir.map_err(|problem| fail(network, Path::new("device metadata"), problem))?;
                resolved.own.insert(network.clone(), read_claim(network, claim, dra_dir)?);
            }
            _ => multus.push(network),
        }
    }
    if let Some(first) = multus.first() {
        let info = (places.read)().map_err(|problem| fail(first, places.network_info, problem))?;
        for network in multus {
            let attachment = from_network_info(network, &info, places.network_info)?;
            resolved.own.insert(network.clone(), attachment);
        }
        add_listed_others(&mut resolved, &info, &own);
    }
    if let Some(dra_dir) = places.dra_dir {
        add_claimed_others(&mut resolved, vmi, &own, dra_dir);
    }
    Ok(resolved)
}

fn read_network_info(path: &Path) -> Result<NetworkInfo, Problem> {
    downwardapi::read(path).map_err(Problem::Unreadable)?.map_err(Problem::NotReady)
}

fn from_network_info(
    network: &NetworkName,
    info: &NetworkInfo,
    path: &Path,
) -> Result<Attachment, AttachmentError> {
    match info.attachment(network) {
        Ok(Some(attachment)) => Ok(attachment),
        Ok(None) => Err(fail(network, path, Problem::NotReady(NotReady::NotListed))),
        Err(refusal) => Err(fail(network, path, Problem::Refused(refusal))),
    }
}

fn read_claim(network: &NetworkName, claim: &Claim, dra_dir: &Path) -> Result<Attachment, AttachmentError> {
    let folder = dra::folder(claim).map_err(|refusal| fail(network, dra_dir, Problem::Refused(refusal)))?;
    let folder = dra_dir.join(folder);
    dra::read(&folder, &claim.request).map_err(|problem| fail(network, &folder, problem))
}

fn add_listed_others(resolved: &mut Resolved, info: &NetworkInfo, own: &[NetworkName]) {
    let Others { usable, unusable } = info.others(own);
    resolved.others.extend(usable);
    let skipped =
        unusable.into_iter().map(|(network, why)| Note::OtherSkipped { network, reason: why.to_string() });
    resolved.notes.extend(skipped);
}

/// Claims of the VMI's other binding-plugin NICs, where this container sees their metadata.
fn add_claimed_others(resolved: &mut Resolved, vmi: &Vmi, own: &[NetworkName], dra_dir: &Path) {
    for interface in vmi.interfaces.iter().filter(|found| found.binding.is_some() && !found.is_absent()) {
        let (Ok(network), Some(NetworkSource::Claim(claim))) =
            (interface.name.parse(), vmi.network(&interface.name).map(|found| &found.source))
        else {
            continue;
        };
        if own.contains(&network) {
            continue;
        }
        match read_claim(&network, claim, dra_dir) {
            Ok(attachment) => drop(resolved.others.insert(network, attachment)),
            Err(AttachmentError { problem: Problem::NotReady(_), .. }) => {}
            Err(error) => resolved
                .notes
                .push(Note::OtherSkipped { network: network.to_string(), reason: error.problem.to_string() }),
        }
    }
}

fn fail(network: &NetworkName, file: &Path, problem: Problem) -> AttachmentError {
    AttachmentError { network: network.clone(), file: file.display().to_string(), problem }
}

fn after(waited: Duration) -> String {
    if waited.is_zero() { String::new() } else { format!(" after {}s", waited.as_secs_f64()) }
}

fn remedy(error: &AttachmentError, claim: bool) -> &'static str {
    match (claim, &error.problem) {
        (true, _) => {
            "check that the claim is allocated, that its driver publishes device metadata, and that KubeVirt gives the \
             claim to the sidecar (1.9 gives it to the compute container only)"
        }
        (false, Problem::NotReady(NotReady::Missing)) => {
            "register the binding with downwardAPI: device-info, so that KubeVirt mounts it"
        }
        (false, Problem::NotReady(NotReady::NotJson { .. })) => {
            "look at the pod's annotation kubevirt.io/network-info"
        }
        (false, _) => {
            "KubeVirt lists a network once Multus has reported it: check the pod's network-status, that the NAD's \
             annotation k8s.v1.cni.cncf.io/resourceName names the device plugin's resource and that the VM requests it \
             (KubeVirt 1.7 and older never list a network without device-info)"
        }
    }
}

fn target_hint(migrating: bool, claim: bool) -> &'static str {
    if migrating && !claim {
        "; on a migration target KubeVirt 1.6.2 and older never write it (kubevirt#15634), 1.6.3 does"
    } else {
        ""
    }
}
