//! The vhost-user device plugin: gives each pod its own socket directory by way of the kubelet.

mod kubelet;
mod resource;
