//! The commands for KubeVirt's plugin framework, with the real `kubectl` against the stand-in. It evaluates no policy.

use std::fs;

use serde_json::{Value, json};

use crate::{
    kubectl::{KUBEVIRT, REGISTRY, Reader, commands_of_comments},
    pages::path,
};

pub const COMMANDS: [&str; 3] = [MOUNT, ALONE, BINDING];

const MOUNT: &str = "kubectl apply -k manifests/plugin/legacy-sidecar";
const ALONE: &str =
    r#"kubectl kustomize manifests/plugin/alone | sed "s|registry.example|$REGISTRY|" | kubectl apply -f -"#;
const BINDING: &str = "kubectl -n kubevirt patch kubevirt kubevirt --type merge --patch-file manifests/kubevirt/binding-alone.yaml";

const PLUGIN: &str = "/apis/plugin.kubevirt.io/v1alpha1/plugins/vhostuser";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolic";

/// What is in the cluster after `command`: the policy, its binding and the Plugin.
fn applied(command: &str, policy: &str) -> Value {
    let reader = Reader::new();
    let admission = "admissionregistration.k8s.io";
    let said = format!(
        "mutatingadmissionpolicy.{admission}/{policy} created\n\
         mutatingadmissionpolicybinding.{admission}/{policy} created\n\
         plugin.plugin.kubevirt.io/vhostuser created\n"
    );
    assert_eq!(reader.stdout(command), said);
    let socket = &reader.server.object(PLUGIN)["spec"]["domainHooks"][0]["sidecar"]["socketPath"];
    assert_eq!(*socket, "/var/run/kubevirt-plugin/vhostuser/vhostuser.sock");
    let binding = reader.server.object(&format!("{ADMISSION}ybindings/{policy}"));
    assert_eq!(binding["spec"], json!({"policyName": policy}));
    reader.server.object(&format!("{ADMISSION}ies/{policy}"))
}

#[test]
fn the_components_are_applied_as_they_are() {
    assert_eq!(commands_of_comments("manifests/plugin/legacy-sidecar/kustomization.yaml"), [MOUNT]);
    let policy = applied(MOUNT, "vhostuser-plugin-mount");
    assert_eq!(policy["spec"]["variables"], Value::Null);
    assert_eq!(commands_of_comments("manifests/plugin/alone/kustomization.yaml"), [ALONE]);
    let policy = applied(ALONE, "vhostuser-plugin-sidecar");
    let image = format!("\"{REGISTRY}/network-vhostuser-binding:v{}\"", env!("CARGO_PKG_VERSION"));
    assert_eq!(policy["spec"]["variables"], json!([{"name": "image", "expression": image}]));
}

#[test]
fn the_registration_alone_removes_the_hook_sidecar() {
    assert_eq!(commands_of_comments("manifests/kubevirt/binding-alone.yaml"), [BINDING]);
    let reader = Reader::new();
    let registered: Value =
        serde_saphyr::from_str(&fs::read_to_string(path("manifests/kubevirt/binding.yaml")).unwrap())
            .unwrap();
    let mut kubevirt = json!({"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt",
        "metadata": {"name": "kubevirt", "namespace": "kubevirt", "resourceVersion": "7"},
        "spec": registered["spec"]});
    reader.server.put(KUBEVIRT, kubevirt.clone());
    assert_eq!(reader.stdout(BINDING), "kubevirt.kubevirt.io/kubevirt patched\n");
    let binding = &mut kubevirt["spec"]["configuration"]["network"]["binding"]["vhostuser"];
    binding.as_object_mut().unwrap().remove("sidecarImage").unwrap();
    assert_eq!(*binding, json!({"downwardAPI": "device-info", "migration": {}}));
    assert_eq!(reader.server.object(KUBEVIRT), kubevirt);
}
