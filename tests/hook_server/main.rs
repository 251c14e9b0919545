//! The real binary behind a real socket in a directory laid out like a pod's, called the way virt-launcher calls it.
//!
//! Each sidecar gets a network namespace of its own where that is allowed (root, or unprivileged user namespaces),
//! because `/proc/net/unix` tells it whether a virt-launcher is there, and a developer's libvirt looks like one.
//! Nothing here can hang: every test, call and exit has a deadline.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answer;
mod bad_input;
mod boot;
mod discovery;
mod ending;
mod large;
mod launcher_gone;
mod links;
mod logs;
mod memory;
mod plugin;
mod pod;
mod sidecar;
mod socket;
mod waiting;

/// A VMI with a masquerade NIC and two of ours, `dpdk0` and `dpdk1`, as virt-launcher sends it.
const VMI: &str = include_str!("../../examples/demo/vmi.json");

/// The domain KubeVirt's converter makes of it.
const DOMAIN: &str = include_str!("../../examples/demo/domain.xml");

/// Its downward API file: both sockets in server mode, `dpdk1` with an MTU of 9000.
const NETWORK_INFO: &str = include_str!("../../examples/demo/network-info.json");
