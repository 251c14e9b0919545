//! KubeVirt's hook contract over gRPC: the only part that knows `tonic` and `prost`, chooses status codes, and depends on
//! the pod's life cycle.

mod cache;
mod call;
mod callbacks;
mod config;
mod info;
mod launcher;
mod lifecycle;
mod plugin;
mod server;
mod socket;
mod status;

pub(crate) use config::ServeConfig;
pub(crate) use lifecycle::ExitReason;
pub(crate) use server::serve;

/// Generated from `proto/hooks`; private, so that nothing else speaks the wire's types.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod proto {
    pub mod info {
        include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.info.rs"));
    }
    pub mod plugins {
        include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.plugins.v1alpha1.rs"));
    }
    pub mod v1alpha3 {
        include!(concat!(env!("OUT_DIR"), "/kubevirt.hooks.v1alpha3.rs"));
    }
}
