//! What the kubelet serves.

use std::{
    future::Future,
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use super::{
    Shared, lock, plugin,
    proto::{
        plugin::DevicePluginOptions,
        plugin::{
            Empty, RegisterRequest,
            registration_server::{Registration as RegistrationApi, RegistrationServer},
        },
        podresources::{
            ContainerDevices, ContainerResources, ListPodResourcesRequest, ListPodResourcesResponse,
            PodResources,
            pod_resources_lister_server::{PodResourcesLister, PodResourcesListerServer},
        },
    },
    state::{Allocation, Registration, State},
};

/// Binds at once, serves when polled.
pub fn serve_registration(
    dir: &Path,
    socket: &Path,
    state: Shared,
) -> impl Future<Output = ()> + Send + 'static {
    let incoming = bind(socket);
    let service = RegistrationServer::new(Kubelet { dir: dir.to_owned(), state });
    async { Server::builder().serve_with_incoming(service, incoming).await.unwrap() }
}

/// Binds at once, serves when polled.
pub fn serve_pod_resources(socket: &Path, state: Shared) -> impl Future<Output = ()> + Send + 'static {
    let _ = std::fs::remove_file(socket);
    let incoming = bind(socket);
    let service = PodResourcesListerServer::new(Lister(state));
    async { Server::builder().serve_with_incoming(service, incoming).await.unwrap() }
}

fn bind(socket: &Path) -> UnixListenerStream {
    UnixListenerStream::new(UnixListener::bind(socket).expect("the kubelet can bind its socket"))
}

struct Kubelet {
    dir: PathBuf,
    state: Shared,
}

#[tonic::async_trait]
impl RegistrationApi for Kubelet {
    /// Answers after it has connected to the plugin and asked for its options; listens only then.
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<Empty>, Status> {
        let request = request.into_inner();
        let registration = Registration {
            version: request.version,
            endpoint: request.endpoint,
            resource: request.resource_name,
            options: options(request.options.unwrap_or_default()),
        };
        record(&mut lock(&self.state), &registration)?;
        let socket = self.dir.join(&registration.endpoint);
        plugin::connect(&self.state, &registration.resource, &socket).await.map_err(Status::unknown)?;
        Ok(Response::new(Empty {}))
    }
}

fn options(options: super::proto::plugin::DevicePluginOptions) -> DevicePluginOptions {
    DevicePluginOptions {
        pre_start_required: options.pre_start_required,
        get_preferred_allocation_available: options.get_preferred_allocation_available,
    }
}

/// Records a registration, and refuses it if it is invalid.
fn record(state: &mut State, registration: &Registration) -> Result<(), Status> {
    state.registrations.push(registration.clone());
    if state.refuse > 0 {
        state.refuse -= 1;
        return Err(Status::unknown("told to refuse"));
    }
    if registration.version != "v1beta1" {
        return Err(Status::unknown(format!("version {} is not supported", registration.version)));
    }
    if !registration.resource.contains('/') {
        return Err(Status::unknown(format!("{} is no extended resource", registration.resource)));
    }
    let connected = state.plugins.get(&registration.resource).is_some_and(|plugin| plugin.listens);
    state.duplicates += usize::from(connected);
    Ok(())
}

/// The pod of the device plugin itself, in the namespace `default`: a list names pods without devices too.
pub const PLUGIN_POD: &str = "vhostuser-node-x";

struct Lister(Shared);

#[tonic::async_trait]
impl PodResourcesLister for Lister {
    async fn list(
        &self,
        _: Request<ListPodResourcesRequest>,
    ) -> Result<Response<ListPodResourcesResponse>, Status> {
        let state = lock(&self.0);
        let mut pod_resources = Vec::new();
        if !state.ignorant {
            pod_resources.push(pod(PLUGIN_POD, &[]));
            pod_resources.extend(state.pods.iter().map(|(name, given)| pod(name, given)));
        }
        Ok(Response::new(ListPodResourcesResponse { pod_resources }))
    }
}

fn pod(name: &str, given: &[Allocation]) -> PodResources {
    let devices = given.iter().map(|given| ContainerDevices {
        resource_name: given.resource.clone(),
        device_ids: given.ids.iter().cloned().collect(),
    });
    let container = ContainerResources { name: "compute".to_owned(), devices: devices.collect() };
    PodResources { name: name.to_owned(), namespace: "default".to_owned(), containers: vec![container] }
}
