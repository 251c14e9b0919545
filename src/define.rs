//! The pure path from a hook call's bytes to the domain that answers it. `OnDefineDomain` and `render` share it,
//! which is what makes `render` worth trusting.

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

/// A call that has something for us, read and checked as far as that goes without attachments.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// Who asks.
    pub vmi: &'a Vmi,
    /// The NICs that need attachments.
    pub requests: NicRequests,
    domain: Domain<'a>,
}

/// The answer, and what has to be done before it is given.
#[derive(Debug)]
pub struct Defined {
    /// The rewritten domain.
    pub xml: String,
    /// The decisions behind it, with the links to make.
    pub plan: Plan,
}

/// Reads the domain and the VMI's requests. Nothing if no interface is ours: then the domain goes back as it came,
/// not even looked at.
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
        let plan = self.requests.plan(self.vmi, attachments, others, config)?;
        let xml = self.domain.rewrite(&plan.nics, &plan.order)?;
        Ok(Defined { xml, plan })
    }
}
