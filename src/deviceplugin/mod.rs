//! The vhost-user device plugin: gives each pod its own socket directory by way of the kubelet.

pub mod config;
mod inventory;
mod kubelet;
pub mod info_files;
mod mounts;
pub mod placing;
mod resource;
pub mod root;

#[cfg(test)]
mod own_mounts;
