//! Which devices pods have, as the kubelet knows it.

use std::{collections::BTreeSet, num::NonZeroI32, path::Path, time::Duration};

use tokio::{net::UnixStream, runtime::Builder};

use super::{
    channel::{self, CallError},
    proto::podresources::{
        ListPodResourcesRequest, PodResources, pod_resources_lister_client::PodResourcesListerClient,
    },
};

/// The largest answer that is read, in bytes. 110 pods with 1,000 devices each have about 8 MiB.
const ANSWER_MAX: usize = 64 << 20;

/// Why it is not known what is in use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the kubelet does not report which devices are in use: {0}: mount its pod-resources directory, or pass the socket \
     with --pod-resources"
)]
pub(crate) struct PodResourcesError(#[from] pub(super) CallError);

/// The kubelet's list of pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Whole resource name and device id of what they have.
    pub(crate) devices: BTreeSet<(String, String)>,
    /// Namespace and name of them all, those without devices too.
    pub(crate) pods: BTreeSet<(String, String)>,
}

/// What the kubelet says to somebody who asks once, and is no daemon.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Its process, if that can be seen from here.
    pub(crate) process: Option<NonZeroI32>,
    /// Its list.
    pub(crate) listing: Option<Listing>,
}

/// Asks, and waits so long for the answer. Where there is no kubelet nothing is known.
pub(crate) fn ask(socket: &Path, domain: &str, limit: Duration) -> Answer {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return Answer::default() };
    runtime.block_on(async {
        Answer { process: process(socket).await, listing: in_use(socket, domain, limit).await.ok() }
    })
}

/// The kernel tells the process that listens, by its number here; 0 is one that is not seen here (`unix(7)`).
async fn process(socket: &Path) -> Option<NonZeroI32> {
    let peer = UnixStream::connect(socket).await.ok()?.peer_cred().ok()?;
    peer.pid().and_then(NonZeroI32::new)
}

/// What pods have of resources in this domain.
///
/// A device is in this list only after the kubelet has taken the answer to its `Allocate`, so one that was allocated
/// a moment ago may be missing. A pod that has ended may still be in it. A kubelet that has just started lists
/// nothing until it has heard of its pods, which takes as long as the API server is away.
pub(crate) async fn in_use(
    socket: &Path,
    domain: &str,
    limit: Duration,
) -> Result<Listing, PodResourcesError> {
    let answer = channel::call(socket, limit, async |channel| {
        let client = PodResourcesListerClient::new(channel);
        client.max_decoding_message_size(ANSWER_MAX).list(ListPodResourcesRequest {}).await
    });
    let pods = answer.await?.into_inner().pod_resources;
    let names = pods.iter().map(|pod| (pod.namespace.clone(), pod.name.clone())).collect();
    Ok(Listing { devices: devices(pods, domain), pods: names })
}

fn devices(pods: Vec<PodResources>, domain: &str) -> BTreeSet<(String, String)> {
    let ours = |resource: &str| resource.strip_prefix(domain).is_some_and(|rest| rest.starts_with('/'));
    pods.into_iter()
        .flat_map(|pod| pod.containers)
        .flat_map(|container| container.devices)
        .filter(|devices| ours(&devices.resource_name))
        .flat_map(|devices| devices.device_ids.into_iter().map(move |id| (devices.resource_name.clone(), id)))
        .collect()
}
