//! KubeVirt's plugin framework: `MutateDomain`, which gives the same answer as `OnDefineDomain`.
//!
//! With the gate `Plugins` and any `Plugin` object in the cluster, KubeVirt renders the domain again from structs that
//! cannot hold a socket's path, and asks the plugins only then (KubeVirt 1.9, `virtwrap/plugins/pipeline.go`).

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    call::Calls,
    lifecycle::Lifecycle,
    proto::plugins::{
        MutateDomainRequest, MutateDomainResponse, domain_hook_service_server::DomainHookService,
    },
};
use vocabulary::Quoted;

/// The only hypervisor's domain that we know.
const DOMAIN_TYPE: &str = "libvirt";

pub(super) struct PluginService {
    calls: Arc<Calls>,
    lifecycle: Arc<Lifecycle>,
}

impl PluginService {
    pub(super) fn new(calls: Arc<Calls>, lifecycle: Arc<Lifecycle>) -> Self {
        Self { calls, lifecycle }
    }
}

#[tonic::async_trait]
impl DomainHookService for PluginService {
    /// The context makes no difference: on a migration target the links matter, although the answer is discarded.
    async fn mutate_domain(
        &self,
        request: Request<MutateDomainRequest>,
    ) -> Result<Response<MutateDomainResponse>, Status> {
        self.lifecycle.called();
        let MutateDomainRequest { domain_type, domain, vmi, sidecar_context: _ } = request.into_inner();
        if domain_type != DOMAIN_TYPE {
            return Err(Status::invalid_argument(format!(
                "domain_type {}: only '{DOMAIN_TYPE}' is served; use a sidecar release that supports this KubeVirt version",
                Quoted(&domain_type)
            )));
        }
        let domain = self.calls.define(&vmi, domain).await?;
        Ok(Response::new(MutateDomainResponse { domain }))
    }
}
