//! What `kubectl kustomize` makes of the manifests, with the kubectl that `make manifests` puts into `$PATH`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));

fn build(folder: &Path) -> Vec<Value> {
    let built = Command::new("kubectl").arg("kustomize").arg(folder).output().unwrap();
    let stderr = String::from_utf8(built.stderr).unwrap();
    assert_eq!((built.status.code(), stderr.as_str()), (Some(0), ""), "{}", folder.display());
    serde_saphyr::from_multiple(&String::from_utf8(built.stdout).unwrap()).unwrap()
}

fn manifests(overlay: &str) -> Vec<Value> {
    build(&programs::repository().join("manifests").join(overlay))
}

fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "two of kind {kind}");
    object
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["kind"].as_str().unwrap()).collect()
}

/// What must agree in whatever overlay.
fn check_common(objects: &[Value], image: &str, cni_bin: &str) {
    let pod = &one(objects, "DaemonSet")["spec"]["template"]["spec"];
    for container in ["containers", "initContainers"] {
        assert_eq!(pod[container][0]["image"], image, "{container}");
    }
    let volume = |name: &str| {
        let volumes = pod["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == name).unwrap()
    };
    assert_eq!(volume("cni-bin")["hostPath"]["path"], cni_bin);
    // The name with the hash of the content.
    let map = one(objects, "ConfigMap");
    assert_eq!(volume("config")["configMap"]["name"], map["metadata"]["name"]);
    assert_ne!(map["metadata"]["name"], "device-plugin");
    for object in objects.iter().filter(|object| {
        !["Namespace", "SecurityContextConstraints"].contains(&object["kind"].as_str().unwrap())
    }) {
        assert_eq!(object["metadata"]["namespace"], "vhostuser-system", "{object}");
    }
}

#[test]
fn kubernetes() {
    let objects = manifests("kubernetes");
    assert_eq!(kinds(&objects), ["Namespace", "ServiceAccount", "ConfigMap", "DaemonSet"]);
    check_common(&objects, &format!("vhostuser-node:{TAG}"), "/opt/cni/bin");
}

#[test]
fn openshift() {
    let objects = manifests("openshift");
    assert_eq!(
        kinds(&objects),
        ["Namespace", "ServiceAccount", "ConfigMap", "DaemonSet", "SecurityContextConstraints"]
    );
    check_common(&objects, &format!("vhostuser-node:{TAG}"), "/var/lib/cni/bin");
    let configuration = one(&objects, "ConfigMap")["data"]["device-plugin.yaml"].as_str().unwrap();
    assert!(configuration.contains("\n  selinuxLabel: system_u:object_r:container_file_t:s0 "));
    // The patch adds to the containers of the base and takes nothing away.
    let container = &one(&objects, "DaemonSet")["spec"]["template"]["spec"]["initContainers"][0];
    assert_eq!(container["securityContext"]["seLinuxOptions"], json!({"type": "spc_t"}));
    assert_eq!(container["securityContext"]["capabilities"], json!({"drop": ["ALL"]}));
    assert_eq!(container["args"][0], "install-cni");
}

/// The objects of a component, by kind and name, and that each is what its file says: CEL is not folded in another way.
fn check_plugin(component: &str, policy: &str) {
    let mut built = manifests(&format!("plugin/{component}"));
    let named = |object: &Value| {
        (object["kind"].as_str().unwrap().to_owned(), object["metadata"]["name"].as_str().unwrap().to_owned())
    };
    let expected = [
        ("MutatingAdmissionPolicy", policy),
        ("MutatingAdmissionPolicyBinding", policy),
        ("Plugin", "vhostuser"),
    ];
    let expected = expected.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    assert_eq!(built.iter().map(named).collect::<Vec<_>>(), expected);
    let mut written = Vec::new();
    for file in [format!("{component}/policy.yaml"), "base/plugin.yaml".to_owned()] {
        let text = fs::read_to_string(programs::repository().join("manifests/plugin").join(file)).unwrap();
        written.extend(serde_saphyr::from_multiple::<Value>(&text).unwrap());
    }
    assert_eq!(built, written);
    // The same as a component of a cluster's overlay, whose namespace none of them takes.
    let dir = tempfile::tempdir_in(programs::repository().join("manifests")).unwrap();
    let overlay = json!({"components": [format!("../plugin/{component}")], "resources": ["../kubernetes"]});
    fs::write(dir.path().join("kustomization.yaml"), overlay.to_string()).unwrap();
    built = build(dir.path());
    built.retain(|object| expected.contains(&named(object)));
    assert_eq!(built, written);
}

#[test]
fn the_plugin_with_the_hook_sidecar_and_alone() {
    check_plugin("legacy-sidecar", "vhostuser-plugin-mount");
    check_plugin("alone", "vhostuser-plugin-sidecar");
}

/// An overlay of the cluster's own, as docs/install.md has it: image, configuration and monitor.
#[test]
fn an_overlay_of_ones_own() {
    let docs = fs::read_to_string(programs::repository().join("docs/install.md")).unwrap();
    let snippet =
        docs.split("```yaml\n# my-cluster/kustomization.yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let snippet = snippet.replace("<registry>", "r.example");
    // With the monitor, which the page leaves out for clusters without the operator.
    let snippet = snippet.replace("# components:\n# - ", "components:\n- ");
    let repository = programs::repository();
    // kustomize loads bases by relative paths only, and files only from below the folder.
    let dir = tempfile::tempdir_in(repository.join("manifests")).unwrap();
    fs::write(
        dir.path().join("kustomization.yaml"),
        snippet.replace("../network-vhostuser-binding/manifests/", "../"),
    )
    .unwrap();
    fs::copy(repository.join("examples/device-plugin.yaml"), dir.path().join("device-plugin.yaml")).unwrap();
    let objects = build(dir.path());
    assert_eq!(kinds(&objects), ["Namespace", "ServiceAccount", "ConfigMap", "DaemonSet", "PodMonitor"]);
    check_common(&objects, &format!("r.example/vhostuser-node:{TAG}"), "/opt/cni/bin");
    let configuration = one(&objects, "ConfigMap")["data"]["device-plugin.yaml"].as_str().unwrap();
    assert!(configuration.contains("vhostuser.network/listening"));
}

/// Applied as they are, or as resources of a cluster's own overlay: kustomize takes nothing from them and adds nothing.
#[test]
fn examples() {
    let repository = programs::repository();
    let dir = tempfile::tempdir().unwrap();
    let (mut names, mut written) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(repository.join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // That one is the device plugin's own configuration.
        if name.ends_with(".yaml") && name != "device-plugin.yaml" {
            let text = fs::read_to_string(repository.join("examples").join(&name)).unwrap();
            fs::write(dir.path().join(&name), &text).unwrap();
            written.extend(serde_saphyr::from_multiple::<Value>(&text).unwrap());
            names.push(name);
        }
    }
    fs::write(dir.path().join("kustomization.yaml"), json!({"resources": names}).to_string()).unwrap();
    let mut built = build(dir.path());
    for objects in [&mut written, &mut built] {
        objects.sort_by_key(Value::to_string);
    }
    assert_eq!(names.len(), 6);
    assert_eq!(built, written);
}
