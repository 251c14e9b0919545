//! A sidecar that answers what it is told to, for the tests of the launcher itself.
//!
//! prost's own messages serve as the wire types: `()` has no fields, and `Vec<u8>` is "bytes in field 1",
//! which is `domainXML` in both directions.

use std::convert::Infallible;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::codegen::http::{Request as HttpRequest, Response as HttpResponse};
use tonic::server::{Grpc, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use launcher_sim::InfoResult;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the stub answers, and what it has been sent.
#[derive(Clone)]
pub struct Stub {
    pub info: Result<InfoResult, Status>,
    pub define: fn(Vec<u8>) -> Result<Vec<u8>, Status>,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

/// The parts of a request that are the caller's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub path: String,
    pub authority: String,
    pub timeout: String,
}

impl Stub {
    /// Offers `versions` and echoes the domain.
    pub fn new(versions: &[&str]) -> Self {
        let versions = versions.iter().map(|version| (*version).to_owned()).collect();
        let info = InfoResult { name: "stub".to_owned(), hook_points: Vec::new(), versions };
        Self { info: Ok(info), define: Ok, seen: Arc::default() }
    }

    /// Serves until the handle is aborted.
    pub fn serve(&self, socket: &Path) -> JoinHandle<()> {
        let listener = UnixListener::bind(socket).expect("the socket is free");
        let server = Server::builder().serve_with_incoming(self.clone(), UnixListenerStream::new(listener));
        tokio::spawn(async move { server.await.expect("the stub serves") })
    }
}

/// Both gRPC services at once, told apart by the request's path.
impl tower::Service<HttpRequest<Body>> for Stub {
    type Response = HttpResponse<Body>;
    type Error = Infallible;
    type Future = Boxed<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let stub = self.clone();
        let seen = Seen::of(&request);
        let method = seen.path.rsplit('/').next().unwrap_or_default().to_owned();
        stub.seen.lock().expect("no test panics with the lock").push(seen);
        Box::pin(async move {
            Ok(match method.as_str() {
                "Info" => Grpc::new(ProstCodec::default()).unary(Info(stub), request).await,
                "OnDefineDomain" => Grpc::new(ProstCodec::default()).unary(Define(stub), request).await,
                "Shutdown" => Grpc::new(ProstCodec::default()).unary(Shutdown, request).await,
                other => Status::unimplemented(other).into_http(),
            })
        })
    }
}

impl Seen {
    fn of(request: &HttpRequest<Body>) -> Self {
        let timeout = request.headers().get("grpc-timeout").and_then(|value| value.to_str().ok());
        Self {
            path: request.uri().path().to_owned(),
            authority: request.uri().authority().map(ToString::to_string).unwrap_or_default(),
            timeout: timeout.unwrap_or_default().to_owned(),
        }
    }
}

struct Info(Stub);

impl UnaryService<()> for Info {
    type Response = InfoResult;
    type Future = Boxed<Result<Response<InfoResult>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let answer = self.0.info.clone();
        Box::pin(async move { answer.map(Response::new) })
    }
}

struct Define(Stub);

impl UnaryService<Vec<u8>> for Define {
    type Response = Vec<u8>;
    type Future = Boxed<Result<Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let answer = (self.0.define)(request.into_inner());
        Box::pin(async move { answer.map(Response::new) })
    }
}

struct Shutdown;

impl UnaryService<()> for Shutdown {
    type Response = ();
    type Future = Boxed<Result<Response<()>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        Box::pin(async { Ok(Response::new(())) })
    }
}
