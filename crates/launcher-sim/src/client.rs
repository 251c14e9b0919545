//! The gRPC client of `pkg/hooks/manager.go`: a new connection for every call, a deadline on each, no other
//! options.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use super::dial::dial;
use callbacks::callbacks_client::CallbacksClient;
use callbacks::{OnDefineDomainParams, PreCloudInitIsoParams, ShutdownParams};
pub use info::{HookPoint, InfoResult};
use info::{InfoParams, info_client::InfoClient};

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod info {
    include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.info.rs"));
}

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod callbacks {
    include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.v1alpha3.rs"));
}

/// Deadline of `Info`; a sidecar that needs longer kills the launcher.
pub const INFO_DEADLINE: Duration = Duration::from_secs(1);

/// Deadline of each callback.
pub const CALLBACK_DEADLINE: Duration = Duration::from_secs(60);

/// grpc-go's default for what a client receives. What it sends is limited by the server alone.
const RECEIVE_LIMIT: usize = 4 * 1024 * 1024;

/// One sidecar, known by its socket. A failed dial is `Unavailable`, a missed deadline `DeadlineExceeded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// Connects to nothing yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into() }
    }

    /// The socket that every call dials.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What the sidecar offers.
    pub async fn info(&self) -> Result<InfoResult, Status> {
        info_over(self.dial().await?).await
    }

    /// Domain XML in, domain XML out.
    pub async fn on_define_domain(
        &self,
        domain_xml: impl Into<Vec<u8>>,
        vmi: impl Into<Vec<u8>>,
    ) -> Result<String, Status> {
        self.connect().await?.on_define_domain(domain_xml, vmi).await
    }

    /// Cloud-init data (JSON) in and out; only for a sidecar that subscribes to it.
    pub async fn pre_cloud_init_iso(
        &self,
        cloud_init_data: impl Into<Vec<u8>>,
        vmi: impl Into<Vec<u8>>,
    ) -> Result<Vec<u8>, Status> {
        let params = PreCloudInitIsoParams {
            cloud_init_no_cloud_source: Vec::new(),
            vmi: vmi.into(),
            cloud_init_data: cloud_init_data.into(),
        };
        let mut client = self.callbacks().await?;
        let answer =
            within(CALLBACK_DEADLINE, client.pre_cloud_init_iso(request(params, CALLBACK_DEADLINE))).await?;
        Ok(answer.cloud_init_data)
    }

    /// Said once QEMU has exited.
    pub async fn shutdown(&self) -> Result<(), Status> {
        let mut client = self.callbacks().await?;
        within(CALLBACK_DEADLINE, client.shutdown(request(ShutdownParams {}, CALLBACK_DEADLINE))).await?;
        Ok(())
    }

    /// A connection that is kept for several calls, which KubeVirt never does: for measuring.
    pub async fn connect(&self) -> Result<Session, Status> {
        Ok(Session(self.callbacks().await?))
    }

    async fn callbacks(&self) -> Result<CallbacksClient<Channel>, Status> {
        Ok(CallbacksClient::new(self.dial().await?).max_decoding_message_size(RECEIVE_LIMIT))
    }

    async fn dial(&self) -> Result<Channel, Status> {
        dial(&self.socket).await.map_err(|error| Status::unavailable(error.to_string()))
    }
}

/// One connection to a sidecar.
pub struct Session(CallbacksClient<Channel>);

impl Session {
    /// Domain XML in, domain XML out.
    pub async fn on_define_domain(
        &mut self,
        domain_xml: impl Into<Vec<u8>>,
        vmi: impl Into<Vec<u8>>,
    ) -> Result<String, Status> {
        let params = OnDefineDomainParams { domain_xml: domain_xml.into(), vmi: vmi.into() };
        let call = self.0.on_define_domain(request(params, CALLBACK_DEADLINE));
        let answer = within(CALLBACK_DEADLINE, call).await?;
        String::from_utf8(answer.domain_xml).map_err(|error| Status::internal(format!("the answer: {error}")))
    }
}

/// `Info` on a connection that stands already: discovery tells a failed dial from a failed call.
pub(super) async fn info_over(channel: Channel) -> Result<InfoResult, Status> {
    let mut client = InfoClient::new(channel).max_decoding_message_size(RECEIVE_LIMIT);
    within(INFO_DEADLINE, client.info(request(InfoParams {}, INFO_DEADLINE))).await
}

/// A Go context's deadline travels in the header `grpc-timeout`.
pub(super) fn request<M>(message: M, deadline: Duration) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

/// Makes every way to miss the deadline `DeadlineExceeded`, as grpc-go does; tonic's own timer says
/// `Cancelled`.
pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Status> {
    let started = Instant::now();
    match timeout(deadline, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) if started.elapsed() < deadline => Err(status),
        _ => Err(Status::deadline_exceeded(format!("no answer within {deadline:?}"))),
    }
}
