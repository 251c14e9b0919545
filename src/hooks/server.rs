//! The server itself: everything ready first, then the socket, then serve until the VM is gone.

use std::{io, sync::Arc, time::Duration};

use tokio::{net::UnixListener, sync::watch, time::timeout};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Server, server::Router};
use tracing::{info, warn};

use super::{
    call::Calls,
    callbacks::CallbackService,
    config::ServeConfig,
    info::InfoService,
    lifecycle::{ExitReason, Lifecycle, Signals},
    plugin::PluginService,
    proto::{
        info::info_server::InfoServer, plugins::domain_hook_service_server::DomainHookServiceServer,
        v1alpha3::callbacks_server::CallbacksServer,
    },
    socket::{HookSocket, SocketError},
};

/// The largest request that is decoded, in bytes. A VMI and its domain have less than 200 KiB; cloud-init data
/// passes through `PreCloudInitIso`.
const REQUEST_MAX: usize = 16 << 20;

/// How long running calls may take after the end.
const GRACE: Duration = Duration::from_secs(2);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(io::Error),
    /// The socket cannot be bound.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The server ended before the VM did.
    #[error("the hook server ended unexpectedly{}", .0.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Server(Option<tonic::transport::Error>),
}

/// Serves until the VM is gone.
pub(crate) async fn serve(config: ServeConfig) -> Result<ExitReason, ServeError> {
    let lifecycle = Arc::new(Lifecycle::default());
    let calls = Arc::new(Calls::new(config.clone()));
    let signals = Signals::catch().map_err(ServeError::Signals)?;
    let (stop, stopped) = watch::channel(());
    let plugin = PluginService::new(Arc::clone(&calls), Arc::clone(&lifecycle));
    let plugin = serve_plugin(&config, plugin, stopped.clone()).await?;
    // Last: from the moment the name can be seen, `Info` must succeed.
    let hooks = serve_hooks(&config, CallbackService::new(calls, Arc::clone(&lifecycle)), stopped).await?;
    let servers = async { tokio::try_join!(hooks, plugin) };
    tokio::pin!(servers);
    let ended = tokio::select! {
        result = &mut servers => return Err(ServeError::Server(result.err())),
        ended = lifecycle.ended(signals) => ended,
    };
    info!("ending: {ended}");
    drop(stop);
    if timeout(GRACE, servers).await.is_err() {
        warn!("a client kept its connection or a call open; ending anyway");
    }
    Ok(ended)
}

type Served = Result<(), tonic::transport::Error>;

/// Serves KubeVirt's hooks, unless the plugin framework alone is asked for.
async fn serve_hooks(
    config: &ServeConfig,
    service: CallbackService,
    stop: watch::Receiver<()>,
) -> Result<impl Future<Output = Served>, ServeError> {
    let bound = match &config.hook_dir {
        Some(dir) => Some(HookSocket::bind(dir, config.container.as_ref()).await?),
        None => None,
    };
    let callbacks = CallbacksServer::new(service).max_decoding_message_size(REQUEST_MAX);
    let router = Server::builder().add_service(InfoServer::new(InfoService)).add_service(callbacks);
    Ok(serve_on(bound, router, "serving hooks", stop))
}

/// Serves KubeVirt's plugin framework where its directory is mounted. One server for each socket: what KubeVirt asks on
/// one is unknown on the other.
async fn serve_plugin(
    config: &ServeConfig,
    service: PluginService,
    stop: watch::Receiver<()>,
) -> Result<impl Future<Output = Served>, ServeError> {
    let bound = HookSocket::bind_plugin(&config.plugin_socket).await?;
    if bound.is_none() && config.hook_dir.is_none() {
        return Err(SocketError::NoPluginDirectory(config.plugin_socket.dir().to_owned()).into());
    }
    let service = DomainHookServiceServer::new(service).max_decoding_message_size(REQUEST_MAX);
    let router = Server::builder().add_service(service);
    Ok(serve_on(bound, router, "serving KubeVirt's plugin framework", stop))
}

/// Nothing to serve is no failure: the other socket is served.
fn serve_on(
    bound: Option<(HookSocket, UnixListener)>,
    router: Router,
    what: &'static str,
    mut stop: watch::Receiver<()>,
) -> impl Future<Output = Served> {
    if let Some((socket, _)) = &bound {
        info!(socket = %socket.path().display(), version = env!("CARGO_PKG_VERSION"), "{what}");
    }
    async move {
        let Some((_socket, listener)) = bound else { return Ok(()) };
        let stopped = async { drop(stop.changed().await) };
        router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), stopped).await
    }
}
