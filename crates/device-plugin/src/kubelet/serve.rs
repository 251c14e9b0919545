//! Serves all resources, each independent of the others.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tracing::warn;

use super::{
    proto::plugin::device_plugin_server::DevicePluginServer,
    registration::{KUBELET_SOCKET, Registration},
    schedule::{Schedule, Timing},
    server::PluginService,
    socket::{SocketError, socket_path},
    streams::Streams,
};
use crate::{metrics::Metrics, readiness::Readiness, resource::Resource};

/// How long calls in progress may take after the stop.
const GRACE: Duration = Duration::from_secs(2);

/// Why the kubelet is no longer served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeletError {
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(
        "the server of resource {resource} ended by itself{}",
        .error.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
    )]
    Server { resource: String, error: Option<tonic::transport::Error> },
    #[error("a resource is no longer served: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Serves the resources to the kubelet of a directory of device plugins. Only our own sockets in there are touched.
#[derive(Clone)]
pub(crate) struct Plugin {
    pub(super) dir: PathBuf,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    pub(super) timing: Timing,
}

impl Plugin {
    /// `dir` is the kubelet's directory; serving ends when `stop` is true or its sender is gone.
    pub(crate) fn new(
        dir: &Path,
        stop: watch::Receiver<bool>,
        metrics: &Metrics,
        readiness: &Readiness,
    ) -> Self {
        let (metrics, readiness) = (metrics.clone(), readiness.clone());
        Self { dir: dir.to_owned(), stop, metrics, readiness, timing: Timing::default() }
    }

    /// Ends before the stop only for what needs a human.
    pub(crate) async fn serve(mut self, resources: Vec<Arc<dyn Resource>>) -> Result<(), KubeletError> {
        let mut tasks = JoinSet::new();
        for resource in resources {
            let path = socket_path(&self.dir, resource.name())?;
            tasks.spawn(self.clone().serve_one(resource, path));
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        // With no resource at all there is nothing else to wait for.
        let _ = self.stop.wait_for(|stop| *stop).await;
        Ok(())
    }

    /// Makes resources count, and stand in the way of readiness, before they are served.
    pub(crate) fn announce(&self, resources: &[Arc<dyn Resource>]) {
        for resource in resources {
            self.metrics.resource(resource.name());
            self.readiness.not_ready(resource.name(), "not registered yet");
        }
    }

    async fn serve_one(self, resource: Arc<dyn Resource>, path: PathBuf) -> Result<(), KubeletError> {
        let name = resource.name().to_owned();
        let (connections, incoming) = mpsc::channel(1);
        let streams = Streams::new();
        let service = PluginService {
            resource: Arc::clone(&resource),
            streams: streams.clone(),
            metrics: self.metrics.clone(),
            stop: self.stop.clone(),
        };
        let registration = Registration {
            kubelet: self.dir.join(KUBELET_SOCKET),
            connections,
            socket: None,
            streams,
            timing: self.timing,
            schedule: Schedule::new(self.timing),
            metrics: self.metrics,
            readiness: self.readiness,
            reported: None,
            resource,
            path,
        };
        let (end, ended) = oneshot::channel::<()>();
        let server = Server::builder().serve_with_incoming_shutdown(
            DevicePluginServer::new(service),
            ReceiverStream::new(incoming),
            async { drop(ended.await) },
        );
        tokio::pin!(server);
        tokio::select! {
            result = &mut server => return Err(KubeletError::Server { resource: name, error: result.err() }),
            result = registration.run(self.stop) => result?,
        }
        let _ = end.send(());
        if timeout(GRACE, server).await.is_err() {
            warn!(resource = name, "the kubelet kept a connection or a call open; ending without it");
        }
        Ok(())
    }
}
