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
    #[error("{error} after {}s: {}{}", .waited.as_secs_f64(), remedy(.error, *.claim), target_hint(*.migrating, *.claim))]
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

/// Looks until every wish has its attachment, at most `sources.wait`. Errors that waiting cannot mend end it at once.
pub async fn resolve(vmi: &Vmi, wishes: &[Wish], sources: &Sources) -> Result<Resolved, ResolveError> {
    let deadline = Instant::now() + sources.wait;
    loop {
        match look(vmi, wishes, sources) {
            Ok(resolved) => return Ok(resolved),
            Err(error) if !matches!(error.problem, Problem::NotReady(_)) => {
                return Err(ResolveError::Refused(error.into()));
            }
            Err(error) if Instant::now() >= deadline => {
                return Err(time_over(vmi, wishes, error, sources.wait));
            }
            Err(_) => sleep(PAUSE.min(deadline - Instant::now())).await,
        }
    }
}

/// Looks once; what is not there yet is an error at once.
pub fn resolve_now(vmi: &Vmi, wishes: &[Wish], sources: &Sources) -> Result<Resolved, ResolveError> {
    look(vmi, wishes, sources).map_err(|error| match error.problem {
        Problem::NotReady(_) => time_over(vmi, wishes, error, Duration::ZERO),
        _ => ResolveError::Refused(error.into()),
    })
}

fn time_over(vmi: &Vmi, wishes: &[Wish], error: AttachmentError, waited: Duration) -> ResolveError {
    let claim = wishes
        .iter()
        .any(|wish| wish.network == error.network && matches!(wish.source, NetworkSource::Claim(_)));
    ResolveError::TimeOver { error: error.into(), waited, claim, migrating: vmi.migrating }
}

fn look(vmi: &Vmi, wishes: &[Wish], sources: &Sources) -> Result<Resolved, AttachmentError> {
    let mut resolved = Resolved::default();
    let own: Vec<NetworkName> = wishes.iter().map(|wish| wish.network.clone()).collect();
    for wish in wishes {
        if let NetworkSource::Claim(claim) = &wish.source {
            let dra_dir = named(&wish.network, sources.dra_dir.as_deref(), "DRA device metadata")?;
            let attachment = read_claim(&wish.network, claim, dra_dir)?;
            resolved.own.insert(wish.network.clone(), attachment);
        }
    }
    let mut multus = wishes
        .iter()
        .filter(|wish| wish.source == NetworkSource::Multus)
        .map(|wish| &wish.network)
        .peekable();
    if let Some(first) = multus.peek() {
        let path = named(first, sources.network_info.as_deref(), "network-info")?;
        let info = read_network_info(first, path)?;
        for network in multus {
            resolved.own.insert(network.clone(), from_network_info(network, &info, path)?);
        }
        add_listed_others(&mut resolved, &info, &own);
    }
    if let Some(dra_dir) = &sources.dra_dir {
        add_claimed_others(&mut resolved, vmi, &own, dra_dir);
    }
    Ok(resolved)
}

/// A source that nobody named is never looked for.
fn named<'p>(network: &NetworkName, path: Option<&'p Path>, what: &str) -> Result<&'p Path, AttachmentError> {
    path.ok_or_else(|| fail(network, Path::new(what), Problem::NotReady(NotReady::Missing)))
}

fn read_network_info(network: &NetworkName, path: &Path) -> Result<NetworkInfo, AttachmentError> {
    match downwardapi::read(path) {
        Ok(Ok(info)) => Ok(info),
        Ok(Err(not_ready)) => Err(fail(network, path, Problem::NotReady(not_ready))),
        Err(error) => Err(fail(network, path, Problem::Unreadable(error))),
    }
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
