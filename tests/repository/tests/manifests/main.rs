//! Manifests and examples against the binaries: whatever they name, a binary of this project knows, and what examples
//! promise comes out. That `kubectl kustomize` builds them is tested by `make manifests`.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod daemonset;
mod examples;
mod files;
mod kubevirt;
mod kustomization;
mod nads;
mod pages;
mod versions;
mod yaml;
