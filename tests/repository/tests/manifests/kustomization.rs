//! The kustomizations' own names: what they point to is there, and nothing is left over.

use std::collections::BTreeSet;

use device_plugin::config::Config;
use serde_json::Value;

use crate::{
    files::yaml_files,
    yaml::{config, document, documents, items, path, string, text},
};

const FOLDERS: [&str; 7] =
    ["base", "kubernetes", "openshift", "podmonitor", "plugin/base", "plugin/legacy-sidecar", "plugin/alone"];

fn kustomization(folder: &str) -> Value {
    documents(&format!("manifests/{folder}/kustomization.yaml")).remove(0)
}

/// Everything in a folder that its kustomization names.
fn named_files(folder: &str) -> BTreeSet<String> {
    let kustomization = kustomization(folder);
    let lists = ["resources", "components"].iter().flat_map(|list| items(&kustomization[list]));
    let patches = items(&kustomization["patches"]).iter().map(|patch| &patch["path"]);
    let files = items(&kustomization["configMapGenerator"]).iter().flat_map(|map| items(&map["files"]));
    lists.chain(patches).chain(files).map(|name| string(name).to_owned()).collect()
}

#[test]
fn whatever_is_named_is_there_and_whatever_is_there_is_named() {
    for folder in FOLDERS {
        let named = named_files(folder);
        for name in &named {
            let target = path(&format!("manifests/{folder}/{name}"));
            let target = if target.is_dir() { target.join("kustomization.yaml") } else { target };
            assert!(target.is_file(), "{folder}: {name}");
        }
        for file in yaml_files(&format!("manifests/{folder}")) {
            let name = file.rsplit('/').next().unwrap();
            assert!(name == "kustomization.yaml" || named.contains(name), "nothing names {file}");
        }
    }
}

/// Overlays with other names than the base's would add objects instead of changing them.
#[test]
fn names_of_the_overlays_are_those_of_the_base() {
    let base = document("manifests/base/daemonset.yaml", "DaemonSet");
    let patch = document("manifests/openshift/daemonset.yaml", "DaemonSet");
    assert_eq!(patch["metadata"]["name"], base["metadata"]["name"]);
    let (spec, base_spec) = (&patch["spec"]["template"]["spec"], &base["spec"]["template"]["spec"]);
    for list in ["initContainers", "volumes"] {
        let names = |spec: &Value| -> BTreeSet<String> {
            items(&spec[list]).iter().map(|item| string(&item["name"]).to_owned()).collect()
        };
        assert!(!names(spec).is_empty() && names(spec).is_subset(&names(base_spec)), "{list}");
    }
    let map = &kustomization("base")["configMapGenerator"][0]["name"];
    let replaced = &kustomization("openshift")["configMapGenerator"][0];
    assert_eq!((&replaced["name"], &replaced["behavior"]), (map, &Value::from("replace")));
    let volumes = items(&base_spec["volumes"]).iter();
    assert_eq!(
        volumes.filter_map(|volume| volume["configMap"]["name"].as_str()).collect::<Vec<_>>(),
        [string(map)]
    );
}

/// The SCC is for the ServiceAccount that the pods have, in the namespace where they are.
#[test]
fn the_scc_is_for_the_service_account() {
    let namespace = kustomization("base")["namespace"].clone();
    assert_eq!(document("manifests/base/namespace.yaml", "Namespace")["metadata"]["name"], namespace);
    assert_eq!(
        document("manifests/podmonitor/podmonitor.yaml", "PodMonitor")["metadata"]["namespace"],
        namespace
    );
    let account = document("manifests/base/serviceaccount.yaml", "ServiceAccount");
    assert_eq!(account["automountServiceAccountToken"], false);
    let scc = document("manifests/openshift/scc.yaml", "SecurityContextConstraints");
    let user =
        format!("system:serviceaccount:{}:{}", string(&namespace), string(&account["metadata"]["name"]));
    assert_eq!(scc["users"], serde_json::json!([user]));
    let template = document("manifests/openshift/daemonset.yaml", "DaemonSet")["spec"]["template"].clone();
    assert_eq!(template["metadata"]["annotations"]["openshift.io/required-scc"], scc["metadata"]["name"]);
    let pod = crate::daemonset::pod();
    assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
    let kinds =
        |volume: &Value| volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap().clone();
    let used: BTreeSet<String> = items(&pod["volumes"]).iter().map(kinds).collect();
    let allowed: BTreeSet<String> =
        items(&scc["volumes"]).iter().map(|kind| string(kind).to_owned()).collect();
    assert_eq!(used, allowed);
}

/// Two files, because kustomize replaces a ConfigMap's file as a whole.
#[test]
fn openshift_has_the_base_configuration_and_a_label() {
    let mut openshift = Config::parse(&text("manifests/openshift/device-plugin.yaml")).unwrap();
    assert!(openshift.sockets.label.take().is_some());
    assert_eq!(openshift, config());
}
