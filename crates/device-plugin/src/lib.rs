//! The vhost-user device plugin, `vhostuser-device-plugin`: gives each pod its own socket directory by way of the
//! kubelet.
//!
//! ```text
//!  configuration (YAML) ──► config::Config
//!                              │
//!          ┌───────────────────┼──────────────────────┐
//!          ▼                   ▼                      ▼
//!   root::SocketRoot    info_files::InfoFiles   inventory::Inventory          what the node has
//!   (mounts, clearing)   (device-info)          (use and health, pure)
//!          └───────────────────┼──────────────────────┘
//!                              ▼
//!                         node::Node  ◄── tasks: switches (OVSDB), their sockets (placing), the kubelet's list
//!                              ▲
//!                     resource::Resource
//!                              ▲
//!                          kubelet/   Register, ListAndWatch, Allocate …
//! ```

mod command;
pub mod config;
mod daemon;
mod doctor;
mod http;
pub mod info_files;
mod install;
mod inventory;
pub(crate) mod kubelet;
mod metrics;
mod mounts;
mod node;
pub mod placing;
mod port_metrics;
mod ports;
mod readiness;
mod resource;
mod resources;
pub mod root;
mod tasks;
mod watch;

#[cfg(test)]
mod own_mounts;

pub use command::{Cli, run};

/// Where the kubelet serves its PodResources API.
pub const POD_RESOURCES: &str = "/var/lib/kubelet/pod-resources/kubelet.sock";
