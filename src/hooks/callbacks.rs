//! `OnDefineDomain` and its neighbours: decide everything, then act, then answer.

use std::sync::{Arc, Mutex, PoisonError};

use tonic::{Request, Response, Status};
use tracing::{Instrument, error, info, info_span, warn};

use super::{
    life::Life,
    memory::Memory,
    proto::v1alpha3::{
        OnDefineDomainParams, OnDefineDomainResult, PreCloudInitIsoParams, PreCloudInitIsoResult,
        ShutdownParams, ShutdownResult, callbacks_server::Callbacks,
    },
    server::ServeConfig,
    status::CallError,
};
use crate::{
    define::{self, DefineError, Prepared},
    domain::Nic,
    plan::Plan,
    resolve::{Resolved, resolve},
    symlink,
    vmi::Vmi,
};

pub(super) struct CallbackService {
    config: ServeConfig,
    memory: Mutex<Memory>,
    life: Arc<Life>,
}

#[tonic::async_trait]
impl Callbacks for CallbackService {
    async fn on_define_domain(
        &self,
        request: Request<OnDefineDomainParams>,
    ) -> Result<Response<OnDefineDomainResult>, Status> {
        self.life.called();
        let OnDefineDomainParams { domain_xml, vmi } = request.into_inner();
        let answer = self.on_define_domain_bytes(domain_xml, &vmi).await;
        answer.map(|domain_xml| Response::new(OnDefineDomainResult { domain_xml })).map_err(|error| {
            error!(code = ?error.code(), %error, "the domain is refused");
            error.into()
        })
    }

    async fn pre_cloud_init_iso(
        &self,
        request: Request<PreCloudInitIsoParams>,
    ) -> Result<Response<PreCloudInitIsoResult>, Status> {
        self.life.called();
        let PreCloudInitIsoParams { cloud_init_no_cloud_source, cloud_init_data, vmi: _ } =
            request.into_inner();
        Ok(Response::new(PreCloudInitIsoResult { cloud_init_no_cloud_source, cloud_init_data }))
    }

    async fn shutdown(&self, _: Request<ShutdownParams>) -> Result<Response<ShutdownResult>, Status> {
        info!("virt-launcher says that the VM is gone");
        self.life.shut_down();
        Ok(Response::new(ShutdownResult {}))
    }
}

impl CallbackService {
    pub(super) fn new(config: ServeConfig, life: Arc<Life>) -> Self {
        Self { config, memory: Mutex::default(), life }
    }

    async fn on_define_domain_bytes(&self, domain_xml: Vec<u8>, vmi: &[u8]) -> Result<Vec<u8>, CallError> {
        let vmi = Vmi::parse(vmi).map_err(DefineError::from)?;
        let span = info_span!("on_define_domain", vmi = %vmi.identity);
        self.define(domain_xml, &vmi).instrument(span).await
    }

    async fn define(&self, domain_xml: Vec<u8>, vmi: &Vmi) -> Result<Vec<u8>, CallError> {
        let config = &self.config.nics;
        let Some(prepared) = define::prepare(vmi, &domain_xml, config)? else {
            info!("no interface of this VM is ours, its domain goes back as it came");
            return Ok(domain_xml);
        };
        let resolved = self.resolve(&prepared).await?;
        let defined = prepared.define(&resolved.own, &resolved.others, config)?;
        for link in &defined.plan.links {
            let outcome = symlink::ensure(&config.layout.links, link)?;
            info!(link = %format_args!("{}/{}", config.layout.links, link.name), target = %link.target, ?outcome, "stable link");
        }
        log(&defined.plan, &resolved);
        self.memory().keep(&vmi.identity.key(), resolved);
        Ok(defined.xml.into_bytes())
    }

    /// From memory where an earlier call of this boot has found everything, else from the files.
    async fn resolve(&self, prepared: &Prepared<'_>) -> Result<Resolved, CallError> {
        let key = prepared.vmi.identity.key();
        let wishes = &prepared.wishes.nics;
        let networks: Vec<_> = wishes.iter().map(|wish| wish.network.clone()).collect();
        if self.memory().knows(&key, &networks) {
            return Ok(self.memory().recall(&key).cloned().unwrap_or_default());
        }
        let known = self.memory().recall(&key).map(|known| known.own.clone()).unwrap_or_default();
        let unknown: Vec<_> =
            wishes.iter().filter(|wish| !known.contains_key(&wish.network)).cloned().collect();
        let mut resolved = resolve(prepared.vmi, &unknown, &self.config.sources).await?;
        resolved.others.retain(|network, _| !known.contains_key(network));
        resolved.own.extend(known.into_iter().filter(|(network, _)| networks.contains(network)));
        Ok(resolved)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // A panic while it was held cannot leave it half-written: every change is one call on a collection.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(plan: &Plan, resolved: &Resolved) {
    for note in plan.notes.iter().chain(&resolved.notes) {
        warn!("{note}");
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
