//! The real device plugin against a kubelet stand-in and an OVSDB stand-in, over real sockets, in a mount namespace of
//! its own: each test has an empty `/run` to itself. Needs root; left out for other users.
//!
//! Nothing here can hang: every test, call and exit has a deadline.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "device_plugin/allocating.rs"]
mod allocating;
#[path = "device_plugin/crashing.rs"]
mod crashing;
#[path = "device_plugin/ending.rs"]
mod ending;
#[path = "device_plugin/health.rs"]
mod health;
#[path = "device_plugin/node.rs"]
mod node;
#[path = "device_plugin/ovsdb.rs"]
mod ovsdb;
#[path = "device_plugin/own_mounts.rs"]
mod own_mounts;
#[path = "device_plugin/placing.rs"]
mod placing;
#[path = "device_plugin/plugin.rs"]
mod plugin;
#[path = "device_plugin/registering.rs"]
mod registering;

#[path = "kubelet/mod.rs"]
mod kubelet;
