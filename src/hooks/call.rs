//! One call, whichever service received it: decide everything, then act, then answer. Takes and returns no types of gRPC.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::{Instrument, error, info, info_span, warn};

use super::{cache::ResolvedCache, config::ServeConfig, status::CallError};
use crate::attachment::{Resolved, resolve};
use crate::define::{self, DefineError};
use crate::domain::Nic;
use crate::plan::Plan;
use crate::symlink::{self, LinkDir, LinkError, Outcome, StableLink};
use crate::vmi::Vmi;

/// Answers calls, and remembers what the calls of a boot have resolved. All services share one.
pub(super) struct Calls {
    config: ServeConfig,
    cache: Mutex<ResolvedCache>,
}

impl Calls {
    pub(super) fn new(config: ServeConfig) -> Self {
        Self { config, cache: Mutex::default() }
    }

    /// Takes a VMI as JSON and its domain, waits for the sockets, creates the links and returns the domain to define.
    pub(super) async fn define(&self, vmi: &[u8], domain_xml: Vec<u8>) -> Result<Vec<u8>, CallError> {
        let vmi = Vmi::parse(vmi).map_err(|error| refuse(DefineError::from(error).into()))?;
        let span = info_span!("on_define_domain", vmi = %vmi.identity);
        async { self.define_for(&vmi, domain_xml).await.map_err(refuse) }.instrument(span).await
    }

    async fn define_for(&self, vmi: &Vmi, domain_xml: Vec<u8>) -> Result<Vec<u8>, CallError> {
        let config = &self.config.nics;
        let Some(mut prepared) = define::prepare(vmi, &domain_xml, config)? else {
            let names = vmi.binding_names();
            match &config.binding_name {
                Some(ours) if !names.is_empty() => {
                    warn!(%ours, ?names, "no interface uses this binding name: the domain is returned unchanged")
                }
                _ => info!("no interface is ours: the domain is returned unchanged"),
            }
            return Ok(domain_xml);
        };
        let key = vmi.identity.key();
        let known = self.recall(&key);
        // What belongs to other sidecars may come later, so the files are read even if everything of ours is known.
        let found = resolve(vmi, &prepared.requests.nics, &known.own, &self.config.sources).await?;
        let found = known.joined(found);
        // Again, after the wait: what another call of this boot has answered with meanwhile counts. No other call comes
        // between here and `keep`.
        let mut cache = self.cache();
        let known = cache.recall(&key).cloned().unwrap_or_default();
        prepared.requests.answered = !known.own.is_empty();
        let resolved = known.joined(found);
        prepared.requests.unusable.clone_from(&resolved.unusable);
        let defined = prepared.define(&resolved.own, &resolved.others, config)?;
        create_links(&config.layout.links, &defined.plan)?;
        log(&defined.plan, &resolved);
        cache.keep(&key, resolved);
        Ok(defined.xml.into_bytes())
    }

    fn recall(&self, key: &str) -> Resolved {
        self.cache().recall(key).cloned().unwrap_or_default()
    }

    fn cache(&self) -> MutexGuard<'_, ResolvedCache> {
        // A panic while the lock was held may have lost an entry, but cannot have left a wrong one.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs the error once; the caller gets the same text.
fn refuse(error: CallError) -> CallError {
    error!(code = ?error.code(), %error, "refused the domain");
    error
}

fn create_links(dir: &LinkDir, plan: &Plan) -> Result<(), CallError> {
    for link in &plan.links {
        create_link(dir, link)?;
    }
    for link in &plan.other_links {
        if let Err(error) = create_link(dir, link) {
            warn!(%error, "no link for another sidecar's network");
        }
    }
    Ok(())
}

fn create_link(dir: &LinkDir, link: &StableLink) -> Result<(), LinkError> {
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
    for Nic { network, socket, device_socket, mode, mac, mtu, options } in &plan.nics {
        let mtu = mtu.map(|mtu| mtu.bytes());
        let queue_pairs = options.queue_pairs.map(tracing::field::display);
        info!(
            %network, %mode, ends = mode.both_ends(), %socket, %device_socket, %mac, model = options.model.as_str(), queue_pairs, mtu,
            "vhost-user NIC"
        );
    }
}
