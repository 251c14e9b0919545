//! The daemon: everything is ready before the kubelet hears of it, then it runs until a signal.

use std::{future::Future, io, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use tracing::info;

use super::args::Args;
use crate::{
    config::Config,
    http::{self, Pages},
    info_files::InfoFiles,
    kubelet,
    life::Life,
    metrics::{Metrics, ports::PortMetrics},
    node::Node,
    readiness::Readiness,
    resource::Resource,
    resources::{Dataplane, PortsResource},
    root::SocketRoot,
    switch_sockets::SwitchSockets,
    tasks,
};

/// Runs until SIGTERM or SIGINT. The caller has prepared `root`, because that may have to wait for a predecessor.
pub(super) async fn run(args: &Args, config: Config, root: SocketRoot) -> anyhow::Result<()> {
    let ended = until_signal()?;
    let metrics = Metrics::new(Some(PortMetrics::new(&config)));
    let readiness = Readiness::new();
    let listener = http::listen(args.listen)?;
    let address = listener.local_addr().unwrap_or(args.listen);
    info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");

    let (stop, stopped) = watch::channel(false);
    let mut background = JoinSet::new();
    let pages = Pages { metrics: metrics.clone(), readiness: readiness.clone() };
    background.spawn(http::serve(listener, pages, stopped.clone()));

    let container_root = config.sockets.container_root.clone();
    let files = InfoFiles::open(args.device_info_dir.clone(), config.domain.as_str(), container_root)?;
    let own_pod = args.pod_namespace.clone().zip(args.pod_name.clone());
    let node = Arc::new(Node::prepare(config, own_pod, root, files, metrics.clone(), &readiness)?);
    let life = Arc::new(Life::new(Arc::clone(&node), args.pod_resources.clone()));
    let resources = resources(&node, &life);
    let plugin = kubelet::Plugin::new(&args.kubelet_dir, stopped, &metrics, &readiness);
    plugin.announce(&resources);
    tokio::pin!(ended);
    tokio::select! {
        started = start_tasks(&mut background, &node, args, &metrics, &readiness) => started?,
        () = &mut ended => {
            node.end();
            return Ok(());
        }
    }

    for switch in 0..node.config.switches.len() {
        background.spawn(Arc::clone(&life).watch(switch));
    }
    let kubelet = plugin.serve(resources);
    tokio::pin!(kubelet);
    tokio::select! {
        // It ends by itself only with an error.
        result = &mut kubelet => result?,
        Some(Err(error)) = background.join_next() => {
            anyhow::bail!("internal: a task ended: {error}; please report this with the version")
        }
        () = ended => {
            info!("ending: a signal");
            let _ = stop.send(true);
            kubelet.await?;
            node.end();
        }
    }
    Ok(())
}

/// Returns after the first judgement of each switch and the first list of what is in use: the first list that the
/// kubelet gets is right.
async fn start_tasks(
    background: &mut JoinSet<()>,
    node: &Arc<Node>,
    args: &Args,
    metrics: &Metrics,
    readiness: &Readiness,
) -> anyhow::Result<()> {
    let mut first = JoinSet::new();
    for switch in 0..node.config.switches.len() {
        first.spawn(tasks::look_at_switch(Arc::clone(node), switch));
        if let Some(sockets) = SwitchSockets::of(node, switch)? {
            background.spawn(sockets.watch(Arc::clone(node), metrics.clone(), readiness.clone()));
        }
    }
    let mut usage = tasks::Usage::new(Arc::clone(node), args.pod_resources.clone());
    usage.list().await;
    while first.join_next().await.is_some() {}
    for switch in 0..node.config.switches.len() {
        background.spawn(tasks::watch_switch(Arc::clone(node), switch));
    }
    background.spawn(usage.watch());
    background.spawn(tasks::watch_devices(Arc::clone(node), readiness.clone()));
    Ok(())
}

fn resources(node: &Arc<Node>, life: &Arc<Life>) -> Vec<Arc<dyn Resource>> {
    let ports = (0..node.config.resources.len())
        .map(|index| PortsResource::new(Arc::clone(node), Arc::clone(life), index));
    let mut resources: Vec<Arc<dyn Resource>> = ports.map(|ports| Arc::new(ports) as _).collect();
    if let Some(name) = &node.config.dataplane {
        let root = node.config.sockets.host_root.to_string();
        resources.push(Arc::new(Dataplane::new(node.config.full_name(name), root)));
    }
    resources
}

fn until_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let install = |kind| {
        signal(kind).map_err(|error: io::Error| anyhow::anyhow!("signals cannot be received: {error}"))
    };
    let (mut terminate, mut interrupt) =
        (install(SignalKind::terminate())?, install(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
