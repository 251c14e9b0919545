//! `OnDefineDomain` and the other callbacks.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use tracing::info;

use super::{
    call::Calls,
    lifecycle::Lifecycle,
    proto::v1alpha3::{
        OnDefineDomainParams, OnDefineDomainResult, PreCloudInitIsoParams, PreCloudInitIsoResult,
        ShutdownParams, ShutdownResult, callbacks_server::Callbacks,
    },
};

pub(super) struct CallbackService {
    calls: Arc<Calls>,
    lifecycle: Arc<Lifecycle>,
}

#[tonic::async_trait]
impl Callbacks for CallbackService {
    async fn on_define_domain(
        &self,
        request: Request<OnDefineDomainParams>,
    ) -> Result<Response<OnDefineDomainResult>, Status> {
        self.lifecycle.called();
        let OnDefineDomainParams { domain_xml, vmi } = request.into_inner();
        let domain_xml = self.calls.define(&vmi, domain_xml).await?;
        Ok(Response::new(OnDefineDomainResult { domain_xml }))
    }

    async fn pre_cloud_init_iso(
        &self,
        request: Request<PreCloudInitIsoParams>,
    ) -> Result<Response<PreCloudInitIsoResult>, Status> {
        self.lifecycle.called();
        let PreCloudInitIsoParams { cloud_init_no_cloud_source, cloud_init_data, vmi: _ } =
            request.into_inner();
        Ok(Response::new(PreCloudInitIsoResult { cloud_init_no_cloud_source, cloud_init_data }))
    }

    async fn shutdown(&self, _: Request<ShutdownParams>) -> Result<Response<ShutdownResult>, Status> {
        info!("virt-launcher reports that the VM is gone");
        self.lifecycle.shut_down();
        Ok(Response::new(ShutdownResult {}))
    }
}

impl CallbackService {
    pub(super) fn new(calls: Arc<Calls>, lifecycle: Arc<Lifecycle>) -> Self {
        Self { calls, lifecycle }
    }
}
