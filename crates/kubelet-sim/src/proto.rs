//! Generated from the files in the device plugin's `proto`.
#![allow(clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// What a plugin serves, and what the kubelet serves on kubelet.sock.
pub mod plugin {
    include!(concat!(env!("OUT_DIR"), "/v1beta1.rs"));
}

/// What it serves on the PodResources socket.
pub mod podresources {
    include!(concat!(env!("OUT_DIR"), "/v1.rs"));
}
