//! A client's connection over a unix socket.

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use hyper_util::rt::TokioIo;
use tokio::{
    net::UnixStream,
    time::{Instant, timeout_at},
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use tower::service_fn;

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("cannot connect to {socket}: {reason}")]
    Unreachable { socket: PathBuf, reason: String },
    /// `code` is gRPC's, in words.
    #[error("{socket} answered {code}: {message}")]
    Refused { socket: PathBuf, code: String, message: String },
    #[error("{socket} did not answer within {limit:?}")]
    TimedOut { socket: PathBuf, limit: Duration },
}

/// Connects, calls and disconnects, all within the limit.
pub(super) async fn call<T>(
    socket: &Path,
    limit: Duration,
    call: impl AsyncFnOnce(Channel) -> Result<T, Status>,
) -> Result<T, CallError> {
    let deadline = Instant::now() + limit;
    let late = |_| CallError::TimedOut { socket: socket.to_owned(), limit };
    let channel = timeout_at(deadline, connect(socket)).await.map_err(late)??;
    let answer = timeout_at(deadline, call(channel)).await.map_err(late)?;
    answer.map_err(|status| CallError::Refused {
        socket: socket.to_owned(),
        code: status.code().description().to_owned(),
        message: status.message().to_owned(),
    })
}

async fn connect(socket: &Path) -> Result<Channel, CallError> {
    let path = socket.to_owned();
    let connector = service_fn(move |_| {
        let path = path.clone();
        async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    });
    // Only `:authority` has this name.
    let connected = Endpoint::from_static("http://localhost").connect_with_connector(connector).await;
    connected.map_err(|error| CallError::Unreachable { socket: socket.to_owned(), reason: innermost(&error) })
}

/// The root cause: `tonic` itself says "transport error" only.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
