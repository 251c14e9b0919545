//! Where each network's vhost-user socket is, by network-info ([`crate::downwardapi`]) or DRA device metadata
//! ([`crate::dra`]): read, parse, look, and wait until everything is there.

mod error;
mod look;
mod model;
mod problem;
mod resolved;
mod seen;
mod wait;

pub use error::AttachmentError;
pub(crate) use look::resolve_now;
pub use model::Attachment;
pub use problem::{FileError, Problem};
pub(crate) use resolved::Resolved;
pub(crate) use seen::Seen;
pub(crate) use wait::resolve;
