use std::{io, net::SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let pages = Pages { metrics: Metrics::new(None), readiness: Readiness::new() };
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

/// All places are taken by clients that send nothing: the next one is served as soon as their time is over.
#[tokio::test]
async fn silent_clients_hold_up_nobody_for_long() {
    let limits = Limits { head: Duration::from_millis(200), whole: Duration::from_secs(3600) };
    let server = server_within(limits).await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    assert_eq!(get(&server, "/healthz").await, plain("200 OK", "ok\n"));
    for mut stream in silent {
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("it is closed").unwrap();
    }
}

#[tokio::test]
async fn nobody_takes_for_ever() {
    let limits = Limits { head: PATIENCE, whole: Duration::from_millis(200) };
    let server = server_within(limits).await;
    assert_eq!(exchange(server.address, "GET / HTTP/1.1\r\n").await, "", "ended without an answer");
}

#[tokio::test]
async fn ends_on_stop() {
    let server = server().await;
    server.stop.send(true).unwrap();
    timeout(PATIENCE, server.served).await.expect("it ends").unwrap();
    let refused = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}
