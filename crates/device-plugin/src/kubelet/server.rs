//! What the kubelet calls: the `DevicePlugin` service, for one resource.

use std::{collections::BTreeSet, future::pending, sync::Arc};

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::{debug, warn};

use super::{
    proto::plugin::{
        AllocateRequest, AllocateResponse, ContainerPreferredAllocationRequest,
        ContainerPreferredAllocationResponse, DevicePluginOptions, Empty, ListAndWatchResponse,
        PreStartContainerRequest, PreStartContainerResponse, PreferredAllocationRequest,
        PreferredAllocationResponse, device_plugin_server::DevicePlugin,
    },
    streams::{OpenStream, Streams},
    wire,
};
use crate::{
    metrics::Metrics,
    resource::{AllocateError, Offer, Resource},
};
use vocabulary::Quoted;

/// What this plugin asks of the kubelet.
pub(super) fn options() -> DevicePluginOptions {
    DevicePluginOptions { pre_start_required: false, get_preferred_allocation_available: true }
}

/// The service of one resource.
pub(super) struct PluginService {
    pub(super) resource: Arc<dyn Resource>,
    pub(super) streams: Streams,
    pub(super) metrics: Metrics,
    /// Streams end when this is true.
    pub(super) stop: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl DevicePlugin for PluginService {
    type ListAndWatchStream = ReceiverStream<Result<ListAndWatchResponse, Status>>;

    async fn get_device_plugin_options(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<DevicePluginOptions>, Status> {
        Ok(Response::new(options()))
    }

    async fn list_and_watch(&self, _: Request<Empty>) -> Result<Response<Self::ListAndWatchStream>, Status> {
        // One at a time: for a kubelet that is slow, lists that were overtaken are left out.
        let (lists, stream) = mpsc::channel(1);
        let list =
            List { offers: self.resource.offers(), open: self.streams.open(), stop: self.stop.clone() };
        tokio::spawn(list.send(lists));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn get_preferred_allocation(
        &self,
        request: Request<PreferredAllocationRequest>,
    ) -> Result<Response<PreferredAllocationResponse>, Status> {
        let containers = request.into_inner().container_requests;
        let container_responses =
            containers.iter().map(|request| self.prefer(request)).collect::<Result<_, _>>()?;
        Ok(Response::new(PreferredAllocationResponse { container_responses }))
    }

    async fn allocate(
        &self,
        request: Request<AllocateRequest>,
    ) -> Result<Response<AllocateResponse>, Status> {
        let containers: Vec<_> =
            request.into_inner().container_requests.into_iter().map(|request| request.devices_ids).collect();
        match self.allocate_all(&containers).await {
            Ok(answer) => Ok(Response::new(answer)),
            Err(error) => {
                self.metrics.allocation_failed(self.resource.name());
                warn!(resource = self.resource.name(), ids = ?containers, %error, "not allocated");
                Err(wire::status(&error))
            }
        }
    }

    async fn pre_start_container(
        &self,
        _: Request<PreStartContainerRequest>,
    ) -> Result<Response<PreStartContainerResponse>, Status> {
        Ok(Response::new(PreStartContainerResponse {}))
    }
}

impl PluginService {
    fn prefer(
        &self,
        request: &ContainerPreferredAllocationRequest,
    ) -> Result<ContainerPreferredAllocationResponse, Status> {
        let size = usize::try_from(request.allocation_size).map_err(|_| {
            Status::invalid_argument(format!("{} devices: not a number of devices", request.allocation_size))
        })?;
        let ids =
            self.resource.prefer(&request.available_device_i_ds, &request.must_include_device_i_ds, size);
        Ok(ContainerPreferredAllocationResponse { device_i_ds: ids })
    }

    /// Nothing is made ready for any container if the kubelet names a device that does not exist.
    async fn allocate_all(&self, containers: &[Vec<String>]) -> Result<AllocateResponse, AllocateError> {
        self.all_known(containers)?;
        for ids in containers {
            self.resource.free(ids).await?;
        }
        let mut answer = AllocateResponse::default();
        for ids in containers {
            let grant = self.resource.allocate(ids)?;
            self.metrics.allocated(self.resource.name());
            debug!(resource = self.resource.name(), ?ids, "allocated");
            answer.container_responses.push(wire::granted(grant));
        }
        Ok(answer)
    }

    fn all_known(&self, containers: &[Vec<String>]) -> Result<(), AllocateError> {
        let offers = self.resource.offers();
        let offers = offers.borrow();
        let known: BTreeSet<&str> = offers.iter().map(|offer| offer.id.as_str()).collect();
        match containers.iter().flatten().find(|id| !known.contains(id.as_str())) {
            None => Ok(()),
            Some(id) => Err(AllocateError::Unknown(format!(
                "resource {} has no device {}, only {} others: it was removed from the configuration, or the kubelet's \
                 list is outdated",
                self.resource.name(),
                Quoted(id),
                known.len()
            ))),
        }
    }
}

/// A stream of lists.
struct List {
    offers: watch::Receiver<Vec<Offer>>,
    open: OpenStream,
    stop: watch::Receiver<bool>,
}

impl List {
    /// Sends the list as it is, and after each change, until nobody wants it any more.
    async fn send(mut self, lists: mpsc::Sender<Result<ListAndWatchResponse, Status>>) {
        loop {
            let list = wire::list(&self.offers.borrow_and_update());
            tokio::select! {
                sent = lists.send(Ok(list)) => if sent.is_err() { return },
                () = ended(&mut self.stop, &mut self.open) => return,
            }
            tokio::select! {
                () = next(&mut self.offers) => {}
                () = lists.closed() => return,
                () = ended(&mut self.stop, &mut self.open) => return,
            }
        }
    }
}

async fn ended(stop: &mut watch::Receiver<bool>, open: &mut OpenStream) {
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = open.superseded() => {}
    }
}

/// Waits for the next list. A resource that never changes again is none that has ended.
pub(super) async fn next(offers: &mut watch::Receiver<Vec<Offer>>) {
    if offers.changed().await.is_err() {
        pending::<()>().await;
    }
}
