//! Error to gRPC code, by who must act. The text goes into the VMI's `SyncFailed` event as it is.

use tonic::{Code, Status};

use crate::attachment::Problem;
use crate::define::DefineError;
use crate::domain::DomainError;
use crate::plan::PlanError;
use crate::resolve::ResolveError;
use crate::symlink::LinkError;
use crate::vmi::VmiError;

/// Anything that ends a call without an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Define(#[from] DefineError),
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl CallError {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Define(DefineError::Vmi(error)) => vmi(error),
            Self::Define(DefineError::Plan(error)) => plan(error),
            Self::Define(DefineError::Domain(error)) => domain(error),
            Self::Resolve(ResolveError::TimedOut { .. }) => Code::Unavailable,
            Self::Resolve(ResolveError::Refused(error)) => match error.problem {
                Problem::NotReady(_) => Code::Unavailable,
                Problem::Refused(_) => Code::FailedPrecondition,
                Problem::Unreadable(_) => Code::Internal,
            },
            Self::Link(LinkError::Occupied { .. }) => Code::AlreadyExists,
            Self::Link(LinkError::Permission { .. }) => Code::PermissionDenied,
            Self::Link(LinkError::Io { .. }) => Code::Internal,
        }
    }
}

/// The longest status text, in characters: Kubernetes cuts an event's message at 1024 bytes, and a client drops the
/// whole status where its header grows too large.
const TEXT_MAX: usize = 900;

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let text = error.to_string();
        let text = match text.char_indices().nth(TEXT_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        Self::new(error.code(), text)
    }
}

fn vmi(error: &VmiError) -> Code {
    match error {
        VmiError::Unreadable { .. } | VmiError::Missing(_) => Code::InvalidArgument,
        VmiError::BadCpuQuantity { .. } => Code::FailedPrecondition,
    }
}

fn plan(error: &PlanError) -> Code {
    match error {
        PlanError::NoNetwork { .. } => Code::InvalidArgument,
        PlanError::Unresolved { .. } => Code::Internal,
        _ => Code::FailedPrecondition,
    }
}

fn domain(error: &DomainError) -> Code {
    match error {
        DomainError::Malformed(_) | DomainError::NotADomain(_) => Code::InvalidArgument,
        DomainError::BadResult(_) => Code::Internal,
        _ => Code::FailedPrecondition,
    }
}
