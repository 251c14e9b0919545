//! The least that a server of KubeVirt's hooks can cost: tonic, and each input parsed once. It answers with the domain
//! as it came. `bare SOCKET` serves until it is killed.

use std::{env, error::Error};

use proto::{
    info::{
        HookPoint, InfoParams, InfoResult,
        info_server::{Info, InfoServer},
    },
    v1alpha3::{
        OnDefineDomainParams, OnDefineDomainResult, PreCloudInitIsoParams, PreCloudInitIsoResult,
        ShutdownParams, ShutdownResult,
        callbacks_server::{Callbacks, CallbacksServer},
    },
};
use quick_xml::{Reader, events::Event};
use serde_json::Value;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// Generated from `proto/hooks`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod proto {
    pub(crate) mod info {
        include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.info.rs"));
    }
    pub(crate) mod v1alpha3 {
        include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.v1alpha3.rs"));
    }
}

struct Bare;

#[tonic::async_trait]
impl Info for Bare {
    async fn info(&self, _: Request<InfoParams>) -> Result<Response<InfoResult>, Status> {
        let hook_points = vec![HookPoint { name: "OnDefineDomain".to_owned(), priority: 0 }];
        let versions = vec!["v1alpha3".to_owned()];
        Ok(Response::new(InfoResult { name: "bare".to_owned(), hook_points, versions }))
    }
}

#[tonic::async_trait]
impl Callbacks for Bare {
    async fn on_define_domain(
        &self,
        request: Request<OnDefineDomainParams>,
    ) -> Result<Response<OnDefineDomainResult>, Status> {
        let OnDefineDomainParams { domain_xml, vmi } = request.into_inner();
        let vmi: Value = serde_json::from_slice(&vmi).map_err(invalid)?;
        let elements = elements(&domain_xml).map_err(invalid)?;
        if vmi.is_null() || elements == 0 {
            return Err(invalid("empty"));
        }
        Ok(Response::new(OnDefineDomainResult { domain_xml }))
    }

    async fn pre_cloud_init_iso(
        &self,
        _: Request<PreCloudInitIsoParams>,
    ) -> Result<Response<PreCloudInitIsoResult>, Status> {
        Err(Status::unimplemented("not subscribed to"))
    }

    async fn shutdown(&self, _: Request<ShutdownParams>) -> Result<Response<ShutdownResult>, Status> {
        Ok(Response::new(ShutdownResult {}))
    }
}

/// The number of elements; each attribute is looked at, as every parser has to.
fn elements(xml: &[u8]) -> Result<usize, Box<dyn Error>> {
    let mut reader = Reader::from_str(std::str::from_utf8(xml)?);
    let mut count = 0;
    loop {
        match reader.read_event()? {
            Event::Eof => return Ok(count),
            Event::Start(element) | Event::Empty(element) => {
                for attribute in element.attributes() {
                    attribute?;
                }
                count += 1;
            }
            _ => {}
        }
    }
}

fn invalid(error: impl ToString) -> Status {
    Status::invalid_argument(error.to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    let socket = env::args_os().nth(1).ok_or("usage: bare SOCKET")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    runtime.block_on(async {
        let listener = UnixListenerStream::new(UnixListener::bind(socket)?);
        let callbacks = CallbacksServer::new(Bare).max_decoding_message_size(16 << 20);
        let server = Server::builder().add_service(InfoServer::new(Bare)).add_service(callbacks);
        server.serve_with_incoming(listener).await?;
        Ok(())
    })
}
