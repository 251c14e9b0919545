//! What the kubelet does to a plugin.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    path::Path,
    sync::Arc,
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::{
    Shared, lock,
    proto::plugin::{
        AllocateRequest, ContainerAllocateRequest, ContainerPreferredAllocationRequest, Empty,
        ListAndWatchResponse, PreferredAllocationRequest, device_plugin_client::DevicePluginClient,
    },
    state::{Allocation, Device, Mount, Plugin},
};

pub type Client = DevicePluginClient<Channel>;

/// How long the kubelet dials a plugin.
const DIAL: Duration = Duration::from_secs(10);

/// The kubelet itself waits for ever.
const CALL: Duration = Duration::from_secs(20);

/// Dials a plugin, asks for its options and begins to listen, as for each registration.
pub async fn connect(state: &Shared, resource: &str, socket: &Path) -> Result<(), String> {
    let mut client = dial(socket).await?;
    let options = client.get_device_plugin_options(Empty {}).await;
    let options = options.map_err(|status| format!("failed to get device plugin options: {status}"))?;
    let mut locked = lock(state);
    let task = (!locked.deaf)
        .then(|| tokio::spawn(listen(client.clone(), Arc::clone(state), resource.to_owned())).abort_handle());
    let plugin = Plugin {
        client,
        options: options.into_inner(),
        devices: BTreeMap::new(),
        lists: 0,
        listens: false,
        task,
    };
    locked.plugins.insert(resource.to_owned(), plugin);
    Ok(())
}

/// Connects to a plugin.
pub async fn dial(socket: &Path) -> Result<Client, String> {
    let path = socket.to_owned();
    let connector = service_fn(move |_| {
        let path = path.clone();
        async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    let connecting = endpoint.connect_with_connector(connector);
    let failed = |error: String| format!("failed to dial device plugin {}: {error}", socket.display());
    let channel = timeout(DIAL, connecting).await.map_err(|_| failed("no answer".to_owned()))?;
    Ok(DevicePluginClient::new(channel.map_err(|error| failed(error.to_string()))?))
}

/// Takes lists until the stream ends. The kubelet does not open another one.
async fn listen(mut client: Client, state: Shared, resource: String) {
    if let Ok(stream) = client.list_and_watch(Empty {}).await {
        let mut stream = stream.into_inner();
        while let Ok(Some(list)) = stream.message().await {
            if let Some(plugin) = lock(&state).plugins.get_mut(&resource) {
                plugin.listens = true;
                plugin.lists += 1;
                plugin.devices = devices(list);
            }
        }
    }
    if let Some(plugin) = lock(&state).plugins.get_mut(&resource) {
        plugin.disconnected();
    }
}

fn devices(list: ListAndWatchResponse) -> BTreeMap<String, Device> {
    let device = |device: super::proto::plugin::Device| {
        let healthy = match device.health.as_str() {
            "Healthy" => true,
            "Unhealthy" => false,
            other => panic!("no health: {other}"),
        };
        let nodes = device.topology.map(|topology| topology.nodes).unwrap_or_default();
        let numa_nodes = nodes.into_iter().map(|node| node.id).collect();
        (device.id.clone(), Device { id: device.id, healthy, numa_nodes })
    };
    let count = list.devices.len();
    let devices: BTreeMap<_, _> = list.devices.into_iter().map(device).collect();
    assert_eq!(devices.len(), count, "a device is told once");
    devices
}

/// What may be chosen from.
pub struct Choice {
    pub available: BTreeSet<String>,
    /// Whether the plugin wants to be asked which.
    pub ask: bool,
}

/// Chooses devices, the ones that the plugin prefers first, and allocates them.
pub async fn allocate(
    client: &mut Client,
    choice: Choice,
    resource: &str,
    count: usize,
) -> Result<Allocation, String> {
    let Choice { available, ask } = choice;
    if available.len() < count {
        return Err(format!(
            "requested number of devices unavailable for {resource}. Requested: {count}, Available: {}",
            available.len()
        ));
    }
    let preferred = if ask { prefer(client, &available, count).await? } else { Vec::new() };
    let allowed = preferred.into_iter().filter(|id| available.contains(id));
    let mut ids = BTreeSet::new();
    for id in allowed.chain(available.iter().cloned()) {
        if ids.len() < count {
            ids.insert(id);
        }
    }
    call_allocate(client, resource, ids).await
}

async fn prefer(
    client: &mut Client,
    available: &BTreeSet<String>,
    count: usize,
) -> Result<Vec<String>, String> {
    let request = ContainerPreferredAllocationRequest {
        available_device_i_ds: available.iter().cloned().collect(),
        must_include_device_i_ds: Vec::new(),
        allocation_size: count.try_into().unwrap(),
    };
    let call =
        client.get_preferred_allocation(PreferredAllocationRequest { container_requests: vec![request] });
    let answer = timeout(CALL, call).await.expect("GetPreferredAllocation ends");
    let answer =
        answer.map_err(|s| format!("device plugin GetPreferredAllocation rpc failed with err: {s}"))?;
    Ok(answer
        .into_inner()
        .container_responses
        .into_iter()
        .next()
        .map(|one| one.device_i_ds)
        .unwrap_or_default())
}

async fn call_allocate(
    client: &mut Client,
    resource: &str,
    ids: BTreeSet<String>,
) -> Result<Allocation, String> {
    // In random order, as pkg/kubelet/cm/devicemanager/manager.go does: `allocDevices.UnsortedList()` walks a Go map. A
    // hash set of the standard library has another order each time, too.
    let unsorted: HashSet<String> = ids.iter().cloned().collect();
    let request = ContainerAllocateRequest { devices_ids: unsorted.into_iter().collect() };
    let call = client.allocate(AllocateRequest { container_requests: vec![request] });
    let answer = timeout(CALL, call).await.expect("Allocate ends");
    let mut answers = answer.map_err(|status| status.message().to_owned())?.into_inner().container_responses;
    assert_eq!(answers.len(), 1, "one answer for one container");
    let answer = answers.remove(0);
    assert!(answer.devices.is_empty() && answer.annotations.is_empty() && answer.cdi_devices.is_empty());
    let mounts = answer.mounts.into_iter().map(|mount| Mount {
        host: mount.host_path,
        container: mount.container_path,
        read_only: mount.read_only,
    });
    Ok(Allocation {
        resource: resource.to_owned(),
        ids,
        mounts: mounts.collect(),
        envs: answer.envs.into_iter().collect(),
    })
}
