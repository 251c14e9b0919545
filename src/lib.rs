//! vhost-user NICs for KubeVirt: the sidecar `network-vhostuser-binding`. Data flows one way, from the bytes of a hook
//! call to the answer:
//!
//! ```text
//!  OnDefineDomainParams                             network-info file / DRA metadata
//!    │ vmi: bytes           │ domain_xml: bytes        │ wait and read              (IO)
//!    ▼                      ▼                          ▼
//!  vmi::Vmi             domain::Domain (spans)     attachment::Attachment, by network
//!    └──────────┐           │            ┌─────────────┘
//!               ▼           │            ▼
//!               └──────► NicRequests::plan ──► plan::Plan                 pure, total
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
//! server (`hooks`) and [`render`] share it.

#![warn(unreachable_pub)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod annotations;
pub mod attachment;
pub mod config;
pub mod define;
pub mod doctor;
pub mod domain;
pub mod downwardapi;
pub mod dra;
pub(crate) mod hooks;
pub mod plan;
pub mod render;
pub mod serve;
pub mod symlink;
pub mod vmi;
