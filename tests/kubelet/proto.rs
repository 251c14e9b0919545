//! Generated: of the device plugin API the client half, of what the kubelet serves the server half.
#![allow(clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// What a plugin serves.
pub mod plugin {
    include!(concat!(env!("OUT_DIR"), "/client/v1beta1.rs"));
}

/// What the kubelet serves on kubelet.sock.
pub mod kubelet {
    include!(concat!(env!("OUT_DIR"), "/server/v1beta1.rs"));
}

/// What it serves on the PodResources socket.
pub mod podresources {
    include!(concat!(env!("OUT_DIR"), "/server/v1.rs"));
}
