//! A stand-in for virt-launcher, the only caller a hook sidecar ever has.
//!
//! It repeats what KubeVirt does to a sidecar and to the sidecar's answers: find the socket, call over gRPC,
//! cut the answer down to KubeVirt's own structs, call again with the rest. Several test targets include this
//! directory as a module, and each uses another part of it.
//!
//! ```text
//! discovery   which sockets are there          pkg/hooks/manager.go, Collect
//! dial        one connection per call          pkg/util/net/grpc/grpc.go
//! client      Info and the callbacks           pkg/hooks/manager.go
//! boot        how often, and with which XML    pkg/virt-launcher/virtwrap/manager.go
//! reduce      what survives between calls      pkg/virt-launcher/virtwrap/api/schema.go
//!             (the table is in schema.rs)
//! plugin      the plugin framework's pipeline  pkg/virt-launcher/virtwrap/plugins/pipeline.go
//! libvirtxml  what that makes of an answer     libvirt.org/go/libvirtxml
//! devices     what KubeVirt and libvirt add    pkg/virt-launcher/virtwrap/network/nichotplug.go
//! ```
#![allow(dead_code, unused_imports, unreachable_pub)]
// A test helper that cannot go on has found its caller's mistake: panicking is how it says so.
#![allow(clippy::expect_used, clippy::panic)]

pub mod boot;
pub mod client;
pub mod devices;
mod dial;
pub mod discovery;
mod libvirtxml;
pub mod plugin;
pub mod reduce;
mod schema;

pub use boot::{
    Exchange, Machine, Refused, Release, boot, boot_over, boot_through, migration_target,
    migration_target_over,
};
pub use client::{Client, HookPoint, InfoResult, Session};
pub use devices::{
    assign_pci_addresses, placeholders_for, with_placeholders, with_root_ports, with_unaliased_placeholders,
};
pub use discovery::{Collect, CollectError, Found, Layout, Pace};
pub use libvirtxml::render;
pub use reduce::{reduce, reduce_keeping_qemu_commandline};
