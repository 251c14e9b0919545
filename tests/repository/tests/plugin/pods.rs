//! Launcher pods. The recorded one is what KubeVirt's virt-controller renders for a VM with one vhost-user NIC, without what no
//! policy reads. What the gate `Plugins` adds, a volume and compute's mount, is written after KubeVirt's source.

use serde_json::{Value, json};

/// compute and our hook sidecar, with an init container.
pub fn recorded() -> Value {
    serde_json::from_str(include_str!("launcher-pod.json")).unwrap()
}

/// compute only.
pub fn without_sidecar() -> Value {
    let mut pod = recorded();
    containers(&mut pod).truncate(1);
    pod
}

pub fn containers(pod: &mut Value) -> &mut Vec<Value> {
    pod["spec"]["containers"].as_array_mut().unwrap()
}

/// The hook sidecar of another binding.
pub fn of_another_binding() -> Value {
    let mut sidecar = recorded()["spec"]["containers"][1].clone();
    let name = sidecar["env"].as_array_mut().unwrap().last_mut().unwrap();
    assert_eq!(*name, json!({"name": "NETWORK_BINDING_PLUGIN_NAME", "value": "vhostuser"}));
    name["value"] = json!("passt");
    sidecar["name"] = json!("hook-sidecar-1");
    sidecar
}

pub fn without_volume(mut pod: Value, name: &str) -> Value {
    let volumes = pod["spec"]["volumes"].as_array_mut().unwrap();
    let before = volumes.len();
    volumes.retain(|volume| volume["name"] != name);
    assert_eq!(volumes.len(), before - 1);
    pod
}

/// Pods that are no launcher's, whatever else they have.
pub fn of_others(pod: &Value) -> [Value; 3] {
    let mut other = pod.clone();
    other["metadata"]["labels"]["kubevirt.io"] = json!("virt-api");
    let mut without_labels = pod.clone();
    without_labels["metadata"].as_object_mut().unwrap().remove("labels");
    let smallest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]}});
    [other, without_labels, smallest]
}
