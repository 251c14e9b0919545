//! The whole: everything ready first, then the kubelet, until a signal.

use std::{future::Future, io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use tracing::info;

use super::{
    config::Config,
    http::{self, ListenError, Pages},
    info_files::{InfoFileError, InfoFiles},
    kubelet::{self, KubeletError},
    metrics::Metrics,
    node::{Node, NodeError, OwnPod},
    placing::PlaceError,
    port_metrics::PortMetrics,
    readiness::Readiness,
    resource::Resource,
    resources::{Dataplane, PortsResource},
    root::{RootError, SocketRoot},
    tasks::{self, SwitchSockets},
};

/// All that the device plugin is started with.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// What it offers.
    pub(super) config: Config,
    /// Namespace and name of the pod in which it runs.
    pub(super) own_pod: Option<OwnPod>,
    /// The kubelet's directory of device plugins.
    pub(super) kubelet_dir: PathBuf,
    /// The kubelet's PodResources socket.
    pub(super) pod_resources: PathBuf,
    /// Where device-info files go.
    pub(super) device_info_dir: PathBuf,
    /// For metrics and health.
    pub(super) listen: SocketAddr,
}

/// Why it does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum DaemonError {
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    InfoFile(#[from] InfoFileError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Kubelet(#[from] KubeletError),
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error("internal: a task ended: {0}; please report this with the version")]
    Task(tokio::task::JoinError),
}

impl From<NodeError> for DaemonError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Root(error) => Self::Root(error),
            NodeError::InfoFile(error) => Self::InfoFile(error),
        }
    }
}

/// Runs until SIGTERM or SIGINT. `root` was prepared before, because that may have to wait for a predecessor.
pub(super) async fn run(settings: Settings, root: SocketRoot) -> Result<(), DaemonError> {
    let ended = until_signal().map_err(DaemonError::Signals)?;
    let ports = PortMetrics::new(&settings.config);
    let (metrics, readiness) = (Metrics::with_ports(ports), Readiness::new());
    let listener = http::listen(settings.listen).await?;
    let address = listener.local_addr().unwrap_or(settings.listen);
    info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");

    let (stop, stopped) = watch::channel(false);
    let mut background = JoinSet::new();
    let pages = Pages { metrics: metrics.clone(), readiness: readiness.clone() };
    background.spawn(http::serve(listener, pages, stopped.clone()));

    let node = Arc::new(prepare(&settings, root, &metrics, &readiness)?);
    start_tasks(&mut background, &node, &settings, &metrics, &readiness)?;

    let kubelet =
        kubelet::serve(resources(&node), settings.kubelet_dir.clone(), stopped, &metrics, &readiness);
    tokio::pin!(kubelet);
    tokio::select! {
        // It does not end well by itself.
        result = &mut kubelet => result?,
        Some(Err(error)) = background.join_next() => return Err(DaemonError::Task(error)),
        () = ended => {
            info!("ending: a signal");
            let _ = stop.send(true);
            kubelet.await?;
            node.end();
        }
    }
    Ok(())
}

fn prepare(
    settings: &Settings,
    root: SocketRoot,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Result<Node, DaemonError> {
    let config = settings.config.clone();
    let container_root = config.sockets.container_root.clone();
    let files = InfoFiles::open(settings.device_info_dir.clone(), config.domain.as_str(), container_root)?;
    Ok(Node::prepare(config, settings.own_pod.clone(), root, files, metrics.clone(), readiness)?)
}

fn start_tasks(
    background: &mut JoinSet<()>,
    node: &Arc<Node>,
    settings: &Settings,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Result<(), DaemonError> {
    for switch in 0..node.config.switches.len() {
        background.spawn(tasks::watch_switch(Arc::clone(node), switch));
        if let Some(sockets) = SwitchSockets::of(node, switch)? {
            background.spawn(sockets.watch(Arc::clone(node), metrics.clone(), readiness.clone()));
        }
    }
    background.spawn(tasks::watch_use(Arc::clone(node), settings.pod_resources.clone()));
    Ok(())
}

fn resources(node: &Arc<Node>) -> Vec<Arc<dyn Resource>> {
    let ports = (0..node.config.resources.len()).map(|index| PortsResource::new(Arc::clone(node), index));
    let mut resources: Vec<Arc<dyn Resource>> = ports.map(|ports| Arc::new(ports) as _).collect();
    if let Some(name) = &node.config.dataplane {
        let root = node.config.sockets.host_root.to_string();
        resources.push(Arc::new(Dataplane::new(node.config.full_name(name), root)));
    }
    resources
}

fn until_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
