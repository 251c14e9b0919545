//! Discovery: the server's kinds, and that it supports `fieldValidation`, so that kubectl leaves validation to it as with
//! every server since Kubernetes 1.25.

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub struct Kind {
    /// `v1`, or `group/version`.
    pub api: &'static str,
    pub name: &'static str,
    pub plural: &'static str,
    pub short: &'static str,
    pub is_namespaced: bool,
}

const fn kind(api: &'static str, name: &'static str, plural: &'static str, short: &'static str) -> Kind {
    Kind { api, name, plural, short, is_namespaced: true }
}

const ADMISSION: &str = "admissionregistration.k8s.io/v1";

pub const KINDS: [Kind; 14] = [
    Kind { is_namespaced: false, ..kind("v1", "Namespace", "namespaces", "ns") },
    Kind { is_namespaced: false, ..kind("v1", "Node", "nodes", "no") },
    kind("v1", "ConfigMap", "configmaps", "cm"),
    kind("v1", "Event", "events", "ev"),
    kind("v1", "Pod", "pods", "po"),
    kind("v1", "ServiceAccount", "serviceaccounts", "sa"),
    Kind {
        is_namespaced: false,
        ..kind(ADMISSION, "MutatingAdmissionPolicy", "mutatingadmissionpolicies", "map")
    },
    Kind {
        is_namespaced: false,
        ..kind(ADMISSION, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", "mapb")
    },
    kind("apps/v1", "DaemonSet", "daemonsets", "ds"),
    kind(
        "k8s.cni.cncf.io/v1",
        "NetworkAttachmentDefinition",
        "network-attachment-definitions",
        "net-attach-def",
    ),
    kind("kubevirt.io/v1", "KubeVirt", "kubevirts", "kv"),
    kind("kubevirt.io/v1", "VirtualMachineInstance", "virtualmachineinstances", "vmi"),
    kind("monitoring.coreos.com/v1", "PodMonitor", "podmonitors", "pmon"),
    Kind { is_namespaced: false, ..kind("plugin.kubevirt.io/v1alpha1", "Plugin", "plugins", "plugin") },
];

/// Where the API's objects are.
pub fn root(api: &str) -> String {
    format!("{}/{api}", if api == "v1" { "api" } else { "apis" })
}

/// The discovery document at this path, if it is one.
pub fn document(path: &str) -> Option<Value> {
    match path {
        "/version" => return Some(json!({"major": "1", "minor": "32", "gitVersion": "v1.32.3"})),
        "/api" => return Some(json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => return Some(groups()),
        "/openapi/v3" => return Some(schemas()),
        _ => {}
    }
    let apis: BTreeSet<&str> = KINDS.iter().map(|kind| kind.api).collect();
    let is_at = |prefix: &str, api: &str| path.strip_prefix(prefix) == Some(root(api).as_str());
    apis.iter().find_map(|api| {
        (is_at("/", api).then(|| resources(api))).or_else(|| is_at("/openapi/v3/", api).then(|| schema(api)))
    })
}

fn groups() -> Value {
    let apis: BTreeSet<&str> = KINDS.iter().map(|kind| kind.api).collect();
    let groups = apis.iter().filter_map(|api| {
        let (group, version) = api.split_once('/')?;
        let version = json!({"groupVersion": api, "version": version});
        Some(json!({"name": group, "versions": [version], "preferredVersion": version}))
    });
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Vec<_>>()})
}

fn resources(api: &str) -> Value {
    let kinds = KINDS.iter().filter(|kind| kind.api == api).map(|kind| {
        json!({"name": kind.plural, "singularName": kind.name.to_lowercase(), "kind": kind.name,
            "shortNames": [kind.short], "namespaced": kind.is_namespaced,
            "verbs": ["create", "get", "list", "patch", "watch"]})
    });
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api, "resources": kinds.collect::<Vec<_>>()})
}

fn schemas() -> Value {
    let entry = |kind: &Kind| {
        (root(kind.api), json!({"serverRelativeURL": format!("/openapi/v3/{}", root(kind.api))}))
    };
    json!({"paths": KINDS.iter().map(entry).collect::<serde_json::Map<_, _>>()})
}

fn schema(api: &str) -> Value {
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    let paths = KINDS.iter().filter(|kind| kind.api == api).map(|kind| {
        let namespace = if kind.is_namespaced { "namespaces/{namespace}/" } else { "" };
        let patch = json!({"parameters": [{"name": "fieldValidation", "in": "query"}],
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind.name}});
        (format!("/{}/{namespace}{}/{{name}}", root(api), kind.plural), json!({"patch": patch}))
    });
    json!({"openapi": "3.0.0", "info": {"title": "stand-in", "version": "1"},
        "paths": paths.collect::<serde_json::Map<_, _>>()})
}
