//! KubeVirt's hook contract over gRPC: the only part that knows `tonic` and `prost`, that picks a status code, and
//! that lives and dies with the pod.

mod cache;
mod callbacks;
mod info;
mod launcher;
mod lifecycle;
mod server;
mod socket;
mod status;

pub use lifecycle::ExitReason;
pub use server::{ServeConfig, ServeError, serve};
pub use socket::SocketError;

/// Generated from `proto/hooks`; private, so that nothing else speaks the wire's types.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod proto {
    pub mod info {
        include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.info.rs"));
    }
    pub mod v1alpha3 {
        include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.v1alpha3.rs"));
    }
}
