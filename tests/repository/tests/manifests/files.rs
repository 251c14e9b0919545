//! Every YAML file there is, and every page.

use std::{fs, path::Path};

use crate::yaml::{documents, items, path, string};

/// Below `dir`, as paths of the repository.
pub fn yaml_files(dir: &str) -> Vec<String> {
    files(dir, "yaml")
}

/// Of what the changelog says of other versions, nothing has to be true of this one.
pub fn pages() -> Vec<String> {
    let of_root = ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"].map(str::to_owned);
    files("docs", "md").into_iter().chain(of_root).collect()
}

fn files(dir: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    list(&path(dir), extension, &mut found);
    found.sort();
    found
}

fn list(dir: &Path, extension: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() {
            list(&entry, extension, found);
        } else if entry.extension().is_some_and(|end| end == extension) {
            found.push(entry.strip_prefix(path("")).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// Objects have what the API server wants of all; the others are known by name.
#[test]
fn every_file_is_an_object_or_is_known() {
    for dir in ["manifests", "examples"] {
        for name in yaml_files(dir) {
            let documents = documents(&name);
            assert!(!documents.is_empty(), "{name}");
            if name.ends_with("/device-plugin.yaml") || name.starts_with("manifests/kubevirt/") {
                continue;
            }
            for document in documents {
                string(&document["apiVersion"]);
                if !["Kustomization", "Component"].contains(&string(&document["kind"])) {
                    string(&document["metadata"]["name"]);
                }
            }
        }
    }
}

/// A VM that asks for what no interface has, or the other way round, is refused by KubeVirt only once it is applied.
#[test]
fn interfaces_networks_disks_and_volumes_of_vms_match() {
    let mut vms = 0;
    for name in yaml_files("examples") {
        for vm in documents(&name).iter().filter(|document| document["kind"] == "VirtualMachine") {
            let spec = &vm["spec"]["template"]["spec"];
            let names =
                |list| items(list).iter().map(|item| string(&item["name"]).to_owned()).collect::<Vec<_>>();
            let devices = &spec["domain"]["devices"];
            assert_eq!(names(&devices["interfaces"]), names(&spec["networks"]), "{name}");
            assert_eq!(names(&devices["disks"]), names(&spec["volumes"]), "{name}");
            vms += 1;
        }
    }
    assert_eq!(vms, 3);
}
