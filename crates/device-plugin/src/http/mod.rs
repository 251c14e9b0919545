//! `/metrics`, `/healthz` and `/readyz`.

mod listen;

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

pub(crate) use listen::listen;

use crate::{
    metrics::{self, Metrics},
    readiness::Readiness,
};

/// Connections at one time; more have to wait. Each serves one request.
const CONNECTIONS_MAX: usize = 256;

/// How much time a client has.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// To send its request's head.
    head: Duration,
    /// For all.
    whole: Duration,
}

const LIMITS: Limits = Limits { head: Duration::from_secs(1), whole: Duration::from_secs(10) };

/// The largest request head, in bytes.
const HEAD_MAX: usize = 16 << 10;

/// How long to wait after the kernel refused to hand out a connection, which is when file descriptors have run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";

#[derive(Debug, Clone)]
pub(crate) struct Pages {
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
}

/// Serves until `stop` is true or its sender is gone. Connections under way then end by themselves, each in its time.
pub(crate) async fn serve(listener: TcpListener, pages: Pages, stop: watch::Receiver<bool>) {
    serve_within(LIMITS, listener, pages, stop).await;
}

async fn serve_within(limits: Limits, listener: TcpListener, pages: Pages, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            (stream, permit) = accept(&listener, &room) => {
                let pages = pages.clone();
                tokio::spawn(async move {
                    connection(stream, &pages, limits).await;
                    drop(permit);
                });
            }
        }
    }
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // Fails only for a closed semaphore; this one is never closed.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, pages: &Pages, limits: Limits) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(pages.answer(request.method(), request.uri().path()).await)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .keep_alive(false)
        .max_buf_size(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(limits.whole, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "connection ended early"),
        Err(_) => debug!(limit = ?limits.whole, "connection took too long"),
    }
}

impl Pages {
    async fn answer(&self, method: &Method, path: &str) -> Response<String> {
        match path {
            "/metrics" | "/healthz" | "/readyz" if method != Method::GET => {
                let mut refused = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
                refused
            }
            "/metrics" => page(StatusCode::OK, metrics::CONTENT_TYPE, self.metrics.fresh_text().await),
            // That there is an answer at all is what it says: everything runs on one thread.
            "/healthz" => page(StatusCode::OK, TEXT, "ok\n".to_owned()),
            "/readyz" => self.ready(),
            _ => page(StatusCode::NOT_FOUND, TEXT, "/metrics, /healthz or /readyz\n".to_owned()),
        }
    }

    fn ready(&self) -> Response<String> {
        let (ready, lines) = self.readiness.page();
        page(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, TEXT, lines)
    }
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut page = Response::new(body);
    *page.status_mut() = status;
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    page
}

#[cfg(test)]
mod tests;
