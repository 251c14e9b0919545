//! `/metrics`, `/healthz` and `/readyz`, for whoever watches this process.

use std::{convert::Infallible, fmt::Write, io, net::SocketAddr, sync::Arc, time::Duration};

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

use super::{
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

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}: choose another address with --listen")]
pub(crate) struct ListenError {
    address: SocketAddr,
    error: io::Error,
}

/// What is served.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    /// For `/metrics`.
    pub(crate) metrics: Metrics,
    /// For `/readyz`.
    pub(crate) readiness: Readiness,
}

/// Listens. With port 0 the kernel chooses one, which the listener tells.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|error| ListenError { address, error })
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
    // Fails only for a closed semaphore, and this one is never closed.
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
            "/metrics" => match self.metrics.fresh_text().await {
                Ok(text) => page(StatusCode::OK, metrics::CONTENT_TYPE, text),
                Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
            },
            // That there is an answer at all is what it says: everything runs on one thread.
            "/healthz" => page(StatusCode::OK, TEXT, "ok\n".to_owned()),
            "/readyz" => self.ready(),
            _ => page(StatusCode::NOT_FOUND, TEXT, "/metrics, /healthz or /readyz\n".to_owned()),
        }
    }

    fn ready(&self) -> Response<String> {
        let reasons = self.readiness.reasons();
        if reasons.is_empty() {
            return page(StatusCode::OK, TEXT, "ready\n".to_owned());
        }
        let mut lines = String::new();
        for reason in reasons {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "{}", reason.replace('\n', " "));
        }
        page(StatusCode::SERVICE_UNAVAILABLE, TEXT, lines)
    }
}

fn page(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut page = Response::new(body);
    *page.status_mut() = status;
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    page
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::Instant,
    };

    use super::*;

    /// The most that anything takes on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Server {
        address: SocketAddr,
        pages: Pages,
        stop: watch::Sender<bool>,
        served: tokio::task::JoinHandle<()>,
    }

    async fn server() -> Server {
        server_within(LIMITS).await
    }

    async fn server_within(limits: Limits) -> Server {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Pages { metrics: Metrics::new(Vec::new()), readiness: Readiness::new() };
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(serve_within(limits, listener, pages.clone(), stopped));
        Server { address, pages, stop, served }
    }

    /// The whole answer to what is sent, less its date.
    async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer in time").unwrap();
        answer.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
    }

    async fn get(server: &Server, path: &str) -> String {
        exchange(server.address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }

    fn plain(status: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    }

    #[tokio::test]
    async fn serves_three_pages() {
        let server = server().await;
        assert_eq!(get(&server, "/healthz").await, plain("200 OK", "ok\n"));
        assert_eq!(get(&server, "/readyz").await, plain("200 OK", "ready\n"));
        assert_eq!(get(&server, "/").await, plain("404 Not Found", "/metrics, /healthz or /readyz\n"));

        server.pages.metrics.socket_placed();
        let metrics = get(&server, "/metrics?x=1").await;
        assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
        assert!(metrics.contains(&format!("\r\ncontent-type: {}\r\n", metrics::CONTENT_TYPE)), "{metrics}");
        assert!(metrics.contains("\nvhostuser_device_plugin_sockets_placed_total 1\n"), "{metrics}");
        assert!(metrics.ends_with("\n# EOF\n"), "{metrics}");
    }

    #[tokio::test]
    async fn a_line_for_each_reason() {
        let server = server().await;
        server.pages.readiness.not_ready("a/b", "no kubelet.sock\nin /x");
        server.pages.readiness.not_ready("socket root", "not mounted");
        let lines = "a/b: no kubelet.sock in /x\nsocket root: not mounted\n";
        assert_eq!(get(&server, "/readyz").await, plain("503 Service Unavailable", lines));
        assert_eq!(get(&server, "/healthz").await, plain("200 OK", "ok\n"));
    }

    #[tokio::test]
    async fn only_get() {
        let server = server().await;
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let request = format!("{method} /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
            let answer = exchange(server.address, &request).await;
            assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{answer}");
            assert!(answer.contains("\r\nallow: GET\r\n"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_or_no_http_is_refused() {
        let server = server().await;
        let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(HEAD_MAX));
        let answer = exchange(server.address, &large).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let answer = exchange(server.address, "\0\0\0\0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!(get(&server, "/healthz").await, plain("200 OK", "ok\n"));
    }

    #[tokio::test]
    async fn silent_clients_hold_up_nobody_for_long() {
        let limits = Limits { head: Duration::from_millis(200), whole: LIMITS.whole };
        let server = server_within(limits).await;
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            silent.push(TcpStream::connect(server.address).await.unwrap());
        }
        let started = Instant::now();
        assert_eq!(get(&server, "/healthz").await, plain("200 OK", "ok\n"));
        assert!((limits.head / 2..limits.whole).contains(&started.elapsed()), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn nobody_takes_for_ever() {
        let limits = Limits { head: PATIENCE, whole: Duration::from_millis(200) };
        let server = server_within(limits).await;
        assert_eq!(exchange(server.address, "GET / HTTP/1.1\r\n").await, "", "ended without an answer");
    }

    #[tokio::test]
    async fn ends_when_told() {
        let server = server().await;
        server.stop.send(true).unwrap();
        timeout(PATIENCE, server.served).await.expect("it ends").unwrap();
        let refused = TcpStream::connect(server.address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_taken_address_is_told() {
        let server = server().await;
        let address = server.address;
        let error = listen(address).await.unwrap_err().to_string();
        let told = "Address already in use (os error 98): choose another address with --listen";
        assert_eq!(error, format!("cannot listen on {address}: {told}"));
    }
}
