//! The objects of KubeVirt's plugin framework: their CEL, evaluated by a library over recorded VMIs and pods, and the paths on
//! which they and the sidecar have to agree. No API server and no KubeVirt has seen them here.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alone;
mod condition;
mod dialects;
mod legacy_sidecar;
mod paths;
mod pods;
mod policy;

use serde_json::Value;

/// The first document of this kind in a file of `manifests/plugin`.
pub fn object(file: &str, kind: &str) -> Value {
    let text = std::fs::read_to_string(programs::repository().join("manifests/plugin").join(file)).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    documents.into_iter().find(|document| document["kind"] == kind).unwrap()
}
