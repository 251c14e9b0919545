//! The kubelet: its device plugin API and its PodResources API. The only part of the device plugin that knows `tonic`
//! and `prost`.
//!
//! ```text
//! registration   is a registration due, for each resource      standing   the rules, pure
//!   socket       our socket in the kubelet's directory         streams    does the kubelet listen to us
//!   register     the call                                      channel    a client over a unix socket
//!   server       what the kubelet calls                       wire       our types in its words
//! podresources   which devices pods have
//! ```

mod channel;
mod podresources;
mod register;
mod registration;
mod serve;
mod server;
mod socket;
mod standing;
mod streams;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use podresources::{Asked, Listing, ask, in_use};
pub(crate) use serve::{KubeletError, serve};
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
