//! Manifests and examples against the binaries: whatever they name, a binary of this project knows, and what examples
//! promise comes out. That `kubectl kustomize` builds them is tested by `make manifests`.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "manifests/daemonset.rs"]
mod daemonset;
#[path = "manifests/examples.rs"]
mod examples;
#[path = "manifests/files.rs"]
mod files;
#[path = "manifests/kubevirt.rs"]
mod kubevirt;
#[path = "manifests/kustomization.rs"]
mod kustomization;
#[path = "manifests/nads.rs"]
mod nads;
#[path = "manifests/pages.rs"]
mod pages;
#[path = "manifests/versions.rs"]
mod versions;
#[path = "manifests/yaml.rs"]
mod yaml;
