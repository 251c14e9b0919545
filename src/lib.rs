//! vhost-user NICs for KubeVirt: the sidecar `network-vhostuser-binding`, and on the node the device plugin
//! `vhostuser-device-plugin` ([`deviceplugin`]) and the CNI plugin `vhostuser` ([`cni`]).
//!
//! The sidecar has one direction of data flow, from the bytes of a hook call to the answer:
//!
//! ```text
//!  OnDefineDomainParams                             network-info file / DRA metadata
//!    │ vmi: bytes           │ domain_xml: bytes        │ wait and read              (IO)
//!    ▼                      ▼                          ▼
//!  vmi::Vmi             domain::Domain (spans)     attachment::Attachment, by network
//!    └──────────┐           │            ┌─────────────┘
//!               ▼           │            ▼
//!               └──────► plan::Wishes::plan ──► plan::Plan                 pure, total
//!                           │            │
//!                   ┌───────┘            └──────┐
//!                   ▼                           ▼
//!         Domain::rewrite → bytes        symlink::ensure                          (IO)
//!                   └───────┬───────────────────┘
//!                           ▼
//!                  OnDefineDomainResult
//! ```
//!
//! Everything that can be refused is refused before the first effect. [`define`] is the pure path as one; the hook
//! server ([`hooks`]) and `render` ([`commands`]) share it.

#![warn(unreachable_pub)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod atomic_file;
pub mod attachment;
pub mod cli;
pub mod cni;
pub mod commands;
pub mod config;
pub mod define;
pub mod deviceinfo;
pub mod deviceplugin;
pub mod doctor;
pub mod domain;
pub mod downwardapi;
pub mod dra;
pub mod fields;
pub mod hooks;
pub mod logging;
pub mod marks;
pub mod ovsdb;
pub mod plan;
mod random;
pub mod resolve;
pub mod settings;
pub mod socketdir;
mod source_file;
pub mod symlink;
pub mod vhostuser;
pub mod vmi;
