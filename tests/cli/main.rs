//! The command line of the real binary: what it prints, where, and with which exit code.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod doctor;
mod flags;
mod program;
mod render;

/// A VMI with a masquerade NIC and two of ours, as virt-launcher sends it.
const VMI: &str = include_str!("../../examples/demo/vmi.json");

/// The domain KubeVirt's converter makes of it.
const DOMAIN: &str = include_str!("../../examples/demo/domain.xml");

/// Its downward API file.
const NETWORK_INFO: &str = include_str!("../../examples/demo/network-info.json");
