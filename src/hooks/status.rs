//! Maps errors to gRPC codes, by who must act. The text goes unchanged into the VMI's `SyncFailed` event.

use tonic::{Code, Status};

use crate::attachment::{AttachmentError, Problem};
use crate::define::DefineError;
use crate::domain::DomainError;
use crate::plan::{NicError, PlanError};
use crate::symlink::LinkError;
use crate::vmi::VmiError;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Define(#[from] DefineError),
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl CallError {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Define(DefineError::Vmi(error)) => vmi(error),
            Self::Define(DefineError::Plan(error)) => plan(error),
            Self::Define(DefineError::Domain(error)) => domain(error),
            Self::Attachment(error) => match &error.at.problem {
                problem if problem.may_still_come() => Code::Unavailable,
                Problem::Unreadable(_) => Code::Internal,
                _ => Code::FailedPrecondition,
            },
            Self::Link(LinkError::Occupied { .. }) => Code::AlreadyExists,
            Self::Link(LinkError::Permission { .. }) => Code::PermissionDenied,
            Self::Link(LinkError::Io { .. }) => Code::Internal,
        }
    }
}

/// The longest status text, in characters: Kubernetes truncates an event's message at 1024 bytes, and a client drops the
/// whole status if its header is too large.
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
        PlanError::Nic { reason: NicError::NoNetwork, .. } => Code::InvalidArgument,
        PlanError::Nic { reason: NicError::Unresolved, .. } => Code::Internal,
        _ => Code::FailedPrecondition,
    }
}

fn domain(error: &DomainError) -> Code {
    match error {
        DomainError::Malformed(_) | DomainError::NotADomain(_) | DomainError::TooLarge { .. } => {
            Code::InvalidArgument
        }
        DomainError::BadResult(_) => Code::Internal,
        _ => Code::FailedPrecondition,
    }
}
