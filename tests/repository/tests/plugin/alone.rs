//! The policy that adds our container to launcher pods.

use serde_json::{Value, json};

use crate::{
    pods::{containers, of_another_binding, of_others, recorded, without_sidecar, without_volume},
    policy::Policy,
};

fn admitted(pod: &Value) -> Result<Value, String> {
    Policy::of("alone").admit(pod)
}

/// It fits the restricted Pod Security Standard, and a pod of the class Guaranteed.
fn container() -> Value {
    let image = format!("registry.example/network-vhostuser-binding:v{}", env!("CARGO_PKG_VERSION"));
    json!({
        "name": "plugin-vhostuser",
        "image": image,
        "restartPolicy": "Always",
        "env": [
            {"name": "VHOSTUSER_WITHOUT_HOOKS", "value": "true"},
            {"name": "NETWORK_BINDING_PLUGIN_NAME", "value": "vhostuser"},
        ],
        "resources": {
            "requests": {"cpu": "200m", "memory": "64M"},
            "limits": {"cpu": "200m", "memory": "64M"},
        },
        "securityContext": {
            "runAsUser": 107,
            "runAsGroup": 107,
            "runAsNonRoot": true,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": "kubevirt-plugin-sockets", "mountPath": "/var/run/kubevirt-plugin/vhostuser", "subPath": "vhostuser"},
            {"name": "network-info-annotation", "mountPath": "/etc/podinfo"},
        ],
    })
}

#[test]
fn our_container_is_the_last_native_sidecar() {
    let pod = without_sidecar();
    let mut expected = pod.clone();
    expected["spec"]["initContainers"].as_array_mut().unwrap().push(container());
    assert_eq!(admitted(&pod), Ok(expected));
}

#[test]
fn there_may_be_no_init_container_and_another_bindings_sidecar() {
    let mut pod = without_sidecar();
    pod["spec"].as_object_mut().unwrap().remove("initContainers");
    containers(&mut pod).push(of_another_binding());
    let mut expected = pod.clone();
    expected["spec"]["initContainers"] = json!([container()]);
    assert_eq!(admitted(&pod), Ok(expected));
}

#[test]
fn other_pods_stay_as_they_are() {
    let cases = [
        (recorded(), "no-legacy-sidecar"),
        (without_volume(without_sidecar(), "network-info-annotation"), "network-info"),
        (without_volume(without_sidecar(), "kubevirt-plugin-sockets"), "gate"),
    ];
    let of_others = of_others(&without_sidecar()).map(|pod| (pod, "selector"));
    for (pod, kept) in cases.into_iter().chain(of_others) {
        assert_eq!(admitted(&pod), Err(kept.to_owned()), "{pod}");
    }
}
