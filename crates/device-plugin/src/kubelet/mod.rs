//! The kubelet: its device plugin API and its PodResources API. The only part of the device plugin that knows `tonic`
//! and `prost`.
//!
//! ```text
//! serve          all resources, each with
//!   registration   its socket in the kubelet's directory and its registration      schedule   when, pure
//!   server         what the kubelet calls                                          wire       our types as messages
//!   streams        whether the kubelet listens                                     channel    a client
//! podresources   which devices pods have
//! ```

mod channel;
mod podresources;
mod registration;
mod schedule;
mod serve;
mod server;
mod socket;
mod streams;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use podresources::{Listing, PodResourcesError, ask, in_use};
pub(crate) use serve::Plugin;
pub(crate) use socket::socket_path;

/// Generated from `proto`; private, so that nothing else speaks the wire's types.
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
mod proto {
    /// What we serve, and what the kubelet serves on kubelet.sock.
    pub mod plugin {
        include!(concat!(env!("OUT_DIR"), "/v1beta1.rs"));
    }
    /// What the kubelet serves on the PodResources socket.
    pub mod podresources {
        include!(concat!(env!("OUT_DIR"), "/v1.rs"));
    }
}
