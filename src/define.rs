//! The pure path from a hook call's bytes to the domain that answers it. `OnDefineDomain` and `render` share it, so what
//! `render` prints is what the hook answers.

use crate::config::NicConfig;
use crate::domain::{Domain, DomainError};
use crate::plan::{self, Attachments, NicRequests, Plan, PlanError};
use crate::vmi::{Vmi, VmiError};

/// Why a domain cannot be defined.
#[derive(Debug, thiserror::Error)]
pub enum DefineError {
    /// The VMI cannot be read.
    #[error(transparent)]
    Vmi(#[from] VmiError),
    /// The NICs cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The domain cannot be edited.
    #[error(transparent)]
    Domain(#[from] DomainError),
}

/// A call with NICs of ours, validated as far as possible before attachments are known.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The VMI.
    pub vmi: &'a Vmi,
    /// The NICs that need attachments.
    pub requests: NicRequests,
    domain: Domain<'a>,
}

/// The answer, and what to do before it is returned.
#[derive(Debug)]
pub struct Defined {
    /// The rewritten domain.
    pub xml: String,
    /// The decisions behind it, with the links to create.
    pub plan: Plan,
}

/// Reads the domain and the VMI's requests. `None` if the VMI has no NIC of ours; the domain is then returned unparsed.
pub fn prepare<'a>(
    vmi: &'a Vmi,
    domain_xml: &'a [u8],
    config: &NicConfig,
) -> Result<Option<Prepared<'a>>, DefineError> {
    let ours = plan::our_interfaces(vmi, config)?;
    if ours.is_empty() {
        return Ok(None);
    }
    let domain = Domain::parse(domain_xml)?;
    let requests = NicRequests::of(vmi, &ours, domain.architecture().as_deref(), config)?;
    Ok(Some(Prepared { vmi, requests, domain }))
}

impl Prepared<'_> {
    /// Plans the NICs on their attachments and rewrites the domain.
    pub fn define(
        self,
        attachments: &Attachments,
        others: &Attachments,
        config: &NicConfig,
    ) -> Result<Defined, DefineError> {
        let mut plan = self.requests.plan(self.vmi, attachments, others, config)?;
        plan.warnings.extend(plan::shared_macs(self.vmi, &self.domain.macs(), &plan.nics));
        let xml = self.domain.rewrite(&plan.nics, &plan.order)?;
        Ok(Defined { xml, plan })
    }
}
