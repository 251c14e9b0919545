//! Dialling a hook socket the way grpc-go's blocking dial does (`pkg/util/net/grpc/grpc.go`).
//!
//! Blocking means: until the server's HTTP/2 SETTINGS have arrived, not until `connect(2)` returned. tonic
//! stops at the latter, so [`FirstBytes`] reports when the peer has said anything at all.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

/// KubeVirt asks for one second, and its helper adds another.
const BUDGET: Duration = Duration::from_secs(2);

/// grpc-go's first back-off: a connection refused between `bind` and `listen` costs this much.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Nothing that speaks HTTP/2 answered within the budget.
#[derive(Debug, thiserror::Error)]
#[error("no server behind {socket}: {reason}")]
pub struct DialError {
    /// The socket that was dialled.
    pub socket: PathBuf,
    /// What the last attempt said.
    pub reason: String,
}

/// Opens a new connection to `socket`; `:authority` is `localhost`.
pub async fn dial(socket: &Path) -> Result<Channel, DialError> {
    let mut reason = "connected, but the peer stays silent".to_owned();
    let attempts = async {
        loop {
            match attempt(socket).await {
                Ok(channel) => return channel,
                Err(error) => reason = chain(&error),
            }
            sleep(BACK_OFF).await;
        }
    };
    match timeout(BUDGET, attempts).await {
        Ok(channel) => Ok(channel),
        Err(_elapsed) => Err(DialError { socket: socket.to_owned(), reason }),
    }
}

async fn attempt(socket: &Path) -> Result<Channel, tonic::transport::Error> {
    let answered = Arc::new(Notify::new());
    let connector = service_fn({
        let (socket, answered) = (socket.to_owned(), Arc::clone(&answered));
        move |_: Uri| {
            let (socket, answered) = (socket.clone(), Arc::clone(&answered));
            async move {
                let stream = UnixStream::connect(socket).await?;
                Ok::<_, io::Error>(TokioIo::new(FirstBytes { stream, answered }))
            }
        }
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await?;
    answered.notified().await;
    Ok(channel)
}

/// tonic prints only "transport error"; the errno is further down.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// A stream that tells when the peer's first bytes have come.
struct FirstBytes {
    stream: UnixStream,
    answered: Arc<Notify>,
}

impl AsyncRead for FirstBytes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.answered.notify_one();
        }
        result
    }
}

impl AsyncWrite for FirstBytes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
