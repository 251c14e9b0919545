//! From networks to attachments: one look at the files, or looking until they are there or the time is over.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use crate::attachment::{Attachment, AttachmentError, NotReady, Problem};
use crate::config::Sources;
use crate::downwardapi::{self, NetworkInfo, Others};
use crate::dra;
use crate::plan::{Attachments, NicRequest, Warning};
use crate::vmi::{Claim, NetworkSource, Vmi};
use vocabulary::{NetworkName, Quoted};

/// Time between two looks. kubelet needs seconds; more than this would be felt where the file is there already.
const PAUSE: Duration = Duration::from_millis(50);

/// Attachments of our networks, and of those of other sidecars that the same sources list.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// Ours.
    pub own: Attachments,
    /// Others', as far as they are there and usable; never waited for.
    pub others: Attachments,
    /// What was left out.
    pub warnings: Vec<Warning>,
}

impl Resolved {
    /// This and what was found later; the first word about a network stands.
    ///
    /// What an earlier call of a boot has answered with must not be refused in a later one, so a network of others that
    /// comes late with a socket of ours is left out.
    pub fn joined(mut self, later: Self) -> Self {
        let known: Vec<_> = self.own.values().cloned().collect();
        for (network, attachment) in later.own {
            self.others.remove(&network);
            self.own.entry(network).or_insert(attachment);
        }
        self.warnings = later.warnings;
        for (network, attachment) in later.others {
            if self.own.contains_key(&network) {
                continue;
            }
            if known.iter().any(|own| own.socket == attachment.socket) {
                let reason =
                    format!("its socket {} is that of a NIC of ours", Quoted(attachment.socket.as_str()));
                self.warnings.push(Warning::OtherSkipped { network: network.to_string(), reason });
                continue;
            }
            self.others.entry(network).or_insert(attachment);
        }
        self
    }
}

/// Why our networks could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Still not there when the time was over: a retry may do.
    #[error("{error}{}: {}{}", after(*.waited), remedy(.error, *.claim), target_hint(*.migrating, *.claim))]
    TimedOut {
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

/// Looks until every request has its attachment, at most `sources.wait`. Errors that waiting cannot mend end it at once.
pub async fn resolve(
    vmi: &Vmi,
    requests: &[NicRequest],
    sources: &Sources,
) -> Result<Resolved, ResolveError> {
    let deadline = Instant::now() + sources.wait;
    loop {
        match look_at_files(vmi, requests, sources) {
            Ok(resolved) => return Ok(resolved),
            Err(error) if !is_not_ready(&error) => return Err(ResolveError::Refused(error.into())),
            Err(error) if Instant::now() >= deadline => {
                return Err(timed_out(vmi, requests, error, sources.wait));
            }
            Err(_) => sleep(PAUSE.min(deadline - Instant::now())).await,
        }
    }
}

fn look_at_files(vmi: &Vmi, requests: &[NicRequest], sources: &Sources) -> Result<Resolved, AttachmentError> {
    let Sources { network_info, dra_dir, wait: _ } = sources;
    let read = || downwardapi::read(network_info);
    look(vmi, requests, &Places { network_info, read: &read, dra_dir: Some(dra_dir) })
}

/// Looks once, at a network-info that is in memory (with its name) and a metadata folder, if there are any.
pub fn resolve_now(
    vmi: &Vmi,
    requests: &[NicRequest],
    network_info: Option<(&Path, &[u8])>,
    dra_dir: Option<&Path>,
) -> Result<Resolved, ResolveError> {
    let (file, bytes) = network_info.unwrap_or((Path::new("network-info"), b""));
    let read = || NetworkInfo::parse(bytes, &file.display().to_string()).map_err(Problem::NotReady);
    let places = Places { network_info: file, read: &read, dra_dir };
    look(vmi, requests, &places).map_err(|error| {
        if is_not_ready(&error) {
            timed_out(vmi, requests, error, Duration::ZERO)
        } else {
            ResolveError::Refused(error.into())
        }
    })
}

fn is_not_ready(error: &AttachmentError) -> bool {
    matches!(error.problem, Problem::NotReady(_))
}

fn timed_out(vmi: &Vmi, requests: &[NicRequest], error: AttachmentError, waited: Duration) -> ResolveError {
    let is_claim = |request: &NicRequest| {
        request.network == error.network && matches!(request.source, NetworkSource::Claim(_))
    };
    let claim = requests.iter().any(is_claim);
    ResolveError::TimedOut { error: error.into(), waited, claim, migrating: vmi.migrating }
}

/// What is there and wrong comes before what is not there yet: a wait would only hide it.
fn look(vmi: &Vmi, requests: &[NicRequest], places: &Places<'_>) -> Result<Resolved, AttachmentError> {
    let network_info = requests.iter().any(|request| !is_claim(request)).then(|| (places.read)());
    let mut resolved = Resolved::default();
    let mut not_ready = None;
    for request in requests {
        match find(request, network_info.as_ref(), places) {
            Ok(attachment) => drop(resolved.own.insert(request.network.clone(), attachment)),
            Err(error) if is_not_ready(&error) => not_ready = not_ready.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    if let Some(error) = not_ready {
        return Err(error);
    }
    let own: Vec<NetworkName> = requests.iter().map(|request| request.network.clone()).collect();
    add_others(&mut resolved, vmi, &own, network_info.and_then(Result::ok), places.dra_dir);
    Ok(resolved)
}

/// One look for networks of other sidecars alone; never fatal.
pub fn look_for_others(vmi: &Vmi, own: &[NetworkName], sources: &Sources) -> Resolved {
    let mut resolved = Resolved::default();
    let network_info = downwardapi::read(&sources.network_info).ok();
    add_others(&mut resolved, vmi, own, network_info, Some(&sources.dra_dir));
    resolved
}

fn find(
    request: &NicRequest,
    network_info: Option<&Result<NetworkInfo, Problem>>,
    places: &Places<'_>,
) -> Result<Attachment, AttachmentError> {
    let NicRequest { network, source, .. } = request;
    if let NetworkSource::Claim(claim) = source {
        let missing = || fail(network, Path::new("device metadata"), Problem::NotReady(NotReady::Missing));
        return read_claim(network, claim, places.dra_dir.ok_or_else(missing)?);
    }
    match network_info {
        Some(Ok(info)) => from_network_info(network, info, places.network_info),
        Some(Err(problem)) => Err(fail(network, places.network_info, problem.clone())),
        None => Err(fail(network, places.network_info, Problem::NotReady(NotReady::Missing))),
    }
}

fn is_claim(request: &NicRequest) -> bool {
    matches!(request.source, NetworkSource::Claim(_))
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

fn add_others(
    resolved: &mut Resolved,
    vmi: &Vmi,
    own: &[NetworkName],
    network_info: Option<NetworkInfo>,
    dra_dir: Option<&Path>,
) {
    if let Some(info) = network_info {
        add_listed_others(resolved, &info, own);
    }
    if let Some(dra_dir) = dra_dir {
        add_claimed_others(resolved, vmi, own, dra_dir);
    }
}

fn add_listed_others(resolved: &mut Resolved, info: &NetworkInfo, own: &[NetworkName]) {
    let Others { usable, unusable } = info.others(own);
    resolved.others.extend(usable);
    let skipped =
        unusable.into_iter().map(|(network, why)| Warning::OtherSkipped { network, reason: why.to_string() });
    resolved.warnings.extend(skipped);
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
            Err(error) => resolved.warnings.push(Warning::OtherSkipped {
                network: network.to_string(),
                reason: error.problem.to_string(),
            }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layout;
    use crate::plan::NicRequests;
    use vocabulary::{QueuePairs, RingSize};

    fn requests(vmi: &Vmi) -> Vec<NicRequest> {
        let config = crate::config::NicConfig {
            binding_name: None,
            layout: Layout::new("/h".into(), &vocabulary::ComputePath::directory("/h").unwrap(), None),
            rx_queue_size: RingSize::MAX,
            tx_queue_size: RingSize::MAX,
            max_queue_pairs: QueuePairs::MAX,
            reconnect_timeout: std::num::NonZeroU32::MIN,
            target_dev: false,
        };
        let ours = crate::plan::our_interfaces(vmi, &config).unwrap();
        NicRequests::of(vmi, &ours, None, &config).unwrap().nics
    }

    /// A wait for the first network would hide for ever what is wrong with the second.
    #[test]
    fn what_is_wrong_comes_before_what_is_late() {
        let vmi = Vmi::parse(
            br#"{"spec":{"domain":{"devices":{"interfaces":[{"name":"late","binding":{"name":"vhostuser"}},
            {"name":"wrong","binding":{"name":"vhostuser"}}]}},
            "networks":[{"name":"late","multus":{}},{"name":"wrong","multus":{}}]}}"#,
        )
        .unwrap();
        let info = br#"{"interfaces":[{"network":"wrong","deviceInfo":{"type":"pci"}}]}"#;
        let look = |info: &[u8]| {
            let error = resolve_now(&vmi, &requests(&vmi), Some((Path::new("f"), info)), None).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            look(info),
            "network 'wrong': f: deviceInfo.type is 'pci', it must be 'vhost-user': the NAD must belong to a vhost-user \
             CNI and resource"
        );
        assert!(look(b"{}").starts_with("network 'late': f: does not list it: "));
    }
}
