//! `OnDefineDomain` and its neighbours: decide everything, then act, then answer.

use std::sync::{Arc, Mutex, PoisonError};

use tonic::{Request, Response, Status};
use tracing::{Instrument, error, info, info_span, warn};

use super::{
    cache::ResolvedCache,
    lifecycle::Lifecycle,
    proto::v1alpha3::{
        OnDefineDomainParams, OnDefineDomainResult, PreCloudInitIsoParams, PreCloudInitIsoResult,
        ShutdownParams, ShutdownResult, callbacks_server::Callbacks,
    },
    server::ServeConfig,
    status::CallError,
};
use crate::define::{self, DefineError, Prepared};
use crate::domain::Nic;
use crate::plan::Plan;
use crate::resolve::{Resolved, look_for_others, resolve};
use crate::symlink::{self, LinkDir, LinkError, Outcome, StableLink};
use crate::vmi::Vmi;

pub(super) struct CallbackService {
    config: ServeConfig,
    cache: Mutex<ResolvedCache>,
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
        let vmi = Vmi::parse(&vmi).map_err(|error| refuse(DefineError::from(error).into()))?;
        let span = info_span!("on_define_domain", vmi = %vmi.identity);
        let answer = async { self.define(domain_xml, &vmi).await.map_err(refuse) }.instrument(span).await?;
        Ok(Response::new(OnDefineDomainResult { domain_xml: answer }))
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
        info!("virt-launcher says that the VM is gone");
        self.lifecycle.shut_down();
        Ok(Response::new(ShutdownResult {}))
    }
}

impl CallbackService {
    pub(super) fn new(config: ServeConfig, lifecycle: Arc<Lifecycle>) -> Self {
        Self { config, cache: Mutex::default(), lifecycle }
    }

    async fn define(&self, domain_xml: Vec<u8>, vmi: &Vmi) -> Result<Vec<u8>, CallError> {
        let config = &self.config.nics;
        let Some(prepared) = define::prepare(vmi, &domain_xml, config)? else {
            let names = vmi.binding_names();
            match &config.binding_name {
                Some(ours) if !names.is_empty() => {
                    warn!(%ours, ?names, "no interface uses this binding name: the domain goes back as it came")
                }
                _ => info!("no interface is ours: the domain goes back as it came"),
            }
            return Ok(domain_xml);
        };
        let resolved = self.resolve(&prepared).await?;
        let defined = prepared.define(&resolved.own, &resolved.others, config)?;
        make_links(&config.layout.links, &defined.plan)?;
        log(&defined.plan, &resolved);
        self.cache().keep(&vmi.identity.key(), resolved);
        Ok(defined.xml.into_bytes())
    }

    /// From the cache where an earlier call of this boot has found everything, else from the files. What belongs to
    /// other sidecars may come later, so it is looked for each time.
    async fn resolve(&self, prepared: &Prepared<'_>) -> Result<Resolved, CallError> {
        let Prepared { vmi, requests, .. } = prepared;
        let known = self.cache().recall(&vmi.identity.key()).cloned().unwrap_or_default();
        let later = if requests.nics.iter().all(|request| known.own.contains_key(&request.network)) {
            let own: Vec<_> = known.own.keys().cloned().collect();
            look_for_others(vmi, &own, &self.config.sources)
        } else {
            resolve(vmi, &requests.nics, &self.config.sources).await?
        };
        Ok(known.joined(later))
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, ResolvedCache> {
        // A panic while it was held could at worst have lost an entry, never have left a wrong one.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logged once, here at the edge; the text goes to virt-launcher as it is.
fn refuse(error: CallError) -> Status {
    error!(code = ?error.code(), %error, "the domain is refused");
    error.into()
}

fn make_links(dir: &LinkDir, plan: &Plan) -> Result<(), CallError> {
    for link in &plan.links {
        make_link(dir, link)?;
    }
    for link in &plan.other_links {
        if let Err(error) = make_link(dir, link) {
            warn!(%error, "no link for another sidecar's network");
        }
    }
    Ok(())
}

fn make_link(dir: &LinkDir, link: &StableLink) -> Result<(), LinkError> {
    let outcome = symlink::ensure(dir, link)?;
    if outcome != Outcome::Kept {
        info!(link = %format_args!("{dir}/{}", link.name), target = %link.target, ?outcome, "stable link");
    }
    Ok(())
}

fn log(plan: &Plan, resolved: &Resolved) {
    for warning in plan.warnings.iter().chain(&resolved.warnings) {
        warn!("{warning}");
    }
    for Nic { network, socket, device_socket, mode, mac, model, queue_pairs, mtu, .. } in &plan.nics {
        let mtu = mtu.map(|mtu| mtu.bytes());
        let queue_pairs = queue_pairs.map(tracing::field::display);
        info!(
            %network, %mode, ends = mode.both_ends(), %socket, %device_socket, %mac, model = model.as_str(), queue_pairs, mtu,
            "vhost-user NIC"
        );
    }
}
