//! The server itself: everything ready first, then the socket, then serve until the VM is gone.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::timeout};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tracing::{info, warn};

use super::{
    call::Calls,
    callbacks::CallbackService,
    config::ServeConfig,
    info::InfoService,
    lifecycle::{ExitReason, Lifecycle, Signals},
    plugin::{self, PluginService},
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
    let callbacks = CallbackService::new(Arc::clone(&calls), Arc::clone(&lifecycle));
    let router = Server::builder()
        .add_service(InfoServer::new(InfoService))
        .add_service(CallbacksServer::new(callbacks).max_decoding_message_size(REQUEST_MAX));
    let signals = Signals::catch().map_err(ServeError::Signals)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let plugin = serve_plugin(&config, PluginService::new(calls, Arc::clone(&lifecycle))).await?;

    // Last: from the moment the name can be seen, `Info` must succeed.
    let (socket, listener) = HookSocket::bind(&config.hook_dir, config.container.as_ref()).await?;
    info!(socket = %socket.path().display(), version = env!("CARGO_PKG_VERSION"), "serving hooks");
    let server = router.serve_with_incoming_shutdown(UnixListenerStream::new(listener), async {
        let _ = stopped.await;
    });
    tokio::pin!(server, plugin);
    let ended = tokio::select! {
        result = &mut server => return Err(ServeError::Server(result.err())),
        result = &mut plugin => return Err(ServeError::Server(result.err())),
        ended = lifecycle.ended(signals) => ended,
    };
    info!("ending: {ended}");
    let _ = stop.send(());
    if timeout(GRACE, server).await.is_err() {
        warn!("a client kept its connection or a call open, ending anyway");
    }
    Ok(ended)
}

/// Serves KubeVirt's plugin framework where its directory is mounted, and otherwise nothing. One server for each socket:
/// what KubeVirt asks on one is unknown on the other.
async fn serve_plugin(
    config: &ServeConfig,
    service: PluginService,
) -> Result<impl Future<Output = Result<(), tonic::transport::Error>>, ServeError> {
    let bound = match plugin::is_mounted(&config.plugin_socket) {
        true => Some(HookSocket::bind_at(config.plugin_socket.clone()).await?),
        false => None,
    };
    Ok(async move {
        let Some((socket, listener)) = bound else { return std::future::pending().await };
        info!(socket = %socket.path().display(), "serving KubeVirt's plugin framework");
        let service = DomainHookServiceServer::new(service).max_decoding_message_size(REQUEST_MAX);
        Server::builder().add_service(service).serve_with_incoming(UnixListenerStream::new(listener)).await
    })
}
