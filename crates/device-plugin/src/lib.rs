//! The vhost-user device plugin, `vhostuser-device-plugin`: gives each pod its own socket directory, through the
//! kubelet's device plugin API.
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
//!                     resource::Resource ──► life::Life (what is left on the switch, what it has lost)
//!                              ▲
//!                          kubelet/   Register, ListAndWatch, Allocate …
//! ```

mod cli;
pub mod config;
mod doctor;
mod http;
mod info_files;
mod install_cni;
mod inventory;
mod kubelet;
mod life;
mod metrics;
mod mounts;
mod node;
mod paths;
mod placing;
mod readiness;
mod resource;
mod resources;
mod root;
mod serve;
mod switch;
mod switch_sockets;
mod tasks;

#[cfg(test)]
mod own_mounts;

pub use cli::{Cli, run};
