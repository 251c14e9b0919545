//! All resources at once, each for itself.

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
    register::KUBELET_SOCKET,
    registration::Registration,
    server::PluginService,
    socket::{SocketError, socket_path},
    standing::{Standing, Timing},
    streams::Streams,
};
use crate::{metrics::Metrics, readiness::Readiness, resource::Resource, watch::DirWatch};

/// How long a look at the kubelet's directory stays valid if the kernel tells of no change.
const LOOK: Duration = Duration::from_secs(1);

/// How long calls under way may take once the end has come.
const GRACE: Duration = Duration::from_secs(2);

/// Why the kubelet is not served any longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeletError {
    /// The socket cannot be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A server ended before it was told to.
    #[error(
        "the server of resource {resource} ended by itself{}",
        .error.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
    )]
    Server {
        /// Whose.
        resource: String,
        /// Why, if it said so.
        error: Option<tonic::transport::Error>,
    },
    /// A mistake in this program.
    #[error("a resource is no longer served: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Serves the resources to the kubelet whose directory this is, until `stop` is true or its sender is gone. Ends
/// earlier only for what needs a human. Nothing in the directory but our own sockets is touched. Resources count and
/// stand in the way of readiness from the call on, before anything is awaited.
pub(crate) fn serve(
    resources: Vec<Arc<dyn Resource>>,
    dir: PathBuf,
    stop: watch::Receiver<bool>,
    metrics: &Metrics,
    readiness: &Readiness,
) -> impl Future<Output = Result<(), KubeletError>> + Send + use<> {
    let plugin = Plugin {
        dir,
        stop,
        metrics: metrics.clone(),
        readiness: readiness.clone(),
        timing: Timing::default(),
    };
    plugin.serve(resources)
}

/// What all resources share.
#[derive(Clone)]
pub(super) struct Plugin {
    pub(super) dir: PathBuf,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    pub(super) timing: Timing,
}

impl Plugin {
    pub(super) fn serve(
        self,
        resources: Vec<Arc<dyn Resource>>,
    ) -> impl Future<Output = Result<(), KubeletError>> + Send + use<> {
        for resource in &resources {
            self.metrics.resource(resource.name());
            self.readiness.not_ready(resource.name(), "not registered yet");
        }
        self.serve_all(resources)
    }

    async fn serve_all(mut self, resources: Vec<Arc<dyn Resource>>) -> Result<(), KubeletError> {
        // Before the first look at the directory, or a change in between would go unnoticed.
        let mut dir = DirWatch::new(&self.dir);
        let (tick, ticks) = watch::channel(());
        let paths: Vec<_> = resources
            .iter()
            .map(|resource| socket_path(&self.dir, resource.name()))
            .collect::<Result<_, _>>()?;
        let mut tasks = JoinSet::new();
        for (resource, path) in resources.into_iter().zip(paths) {
            tasks.spawn(self.clone().serve_one(resource, path, ticks.clone()));
        }
        loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    Some(ended) => ended??,
                    None => break,
                },
                () = dir.changed(LOOK) => drop(tick.send(())),
            }
        }
        // With no resource at all there is nothing else to wait for.
        let _ = self.stop.wait_for(|stop| *stop).await;
        Ok(())
    }

    async fn serve_one(
        self,
        resource: Arc<dyn Resource>,
        path: PathBuf,
        ticks: watch::Receiver<()>,
    ) -> Result<(), KubeletError> {
        let (connections, incoming) = mpsc::channel(1);
        let streams = Streams::new();
        let service = PluginService {
            resource: Arc::clone(&resource),
            streams: streams.clone(),
            metrics: self.metrics.clone(),
            stop: self.stop.clone(),
        };
        let registration = Registration {
            endpoint: file_name(&path),
            kubelet: self.dir.join(KUBELET_SOCKET),
            connections,
            socket: None,
            streams,
            standing: Standing::new(self.timing),
            metrics: self.metrics,
            readiness: self.readiness,
            told: None,
            resource: Arc::clone(&resource),
            path,
        };

        let (end, ended) = oneshot::channel::<()>();
        let router = Server::builder().add_service(DevicePluginServer::new(service));
        let server = router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), async {
            let _ = ended.await;
        });
        tokio::pin!(server);
        tokio::select! {
            result = &mut server => {
                return Err(KubeletError::Server { resource: resource.name().to_owned(), error: result.err() });
            }
            result = registration.run(ticks, self.stop) => result?,
        }
        let _ = end.send(());
        if timeout(GRACE, server).await.is_err() {
            warn!(
                resource = resource.name(),
                "the kubelet kept a connection or a call open, ending all the same"
            );
        }
        Ok(())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
