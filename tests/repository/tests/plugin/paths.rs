//! Where the socket is: for virt-launcher, for the sidecar, and in the volume.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    object,
    pods::{recorded, without_sidecar},
    policy::Policy,
};

/// What the sidecar's help says of the flag with this variable.
fn help_of(variable: &str) -> String {
    let help = Command::new(programs::sidecar()).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let of_flag = help.split(&format!("[env: {variable}=")).nth(1).unwrap_or_else(|| panic!("no {variable}"));
    of_flag.split(" --").next().unwrap().to_owned()
}

fn default_socket() -> String {
    help_of("VHOSTUSER_PLUGIN_SOCKET")
        .split("[default: ")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap()
        .to_owned()
}

fn mounts(pod: &Value, pointer: &str) -> Vec<Value> {
    let mounts = pod.pointer(pointer).unwrap().as_array().unwrap();
    mounts.iter().filter(|mount| mount["name"] == "kubevirt-plugin-sockets").cloned().collect()
}

#[test]
fn plugin_policies_and_sidecar_agree() {
    let plugin = object("base/plugin.yaml", "Plugin");
    let name = plugin["metadata"]["name"].as_str().unwrap();
    let socket = plugin["spec"]["domainHooks"][0]["sidecar"]["socketPath"].as_str().unwrap();
    assert_eq!(socket, default_socket());
    let directory = Path::new(socket).parent().unwrap();
    // KubeVirt allows no other, and mounts the volume at its parent in compute.
    assert_eq!(directory, Path::new("/var/run/kubevirt-plugin").join(name));
    let ours =
        serde_json::json!({"name": "kubevirt-plugin-sockets", "mountPath": directory, "subPath": name});
    let pod = Policy::of("legacy-sidecar").admit(&recorded()).unwrap();
    assert_eq!(mounts(&pod, "/spec/containers/1/volumeMounts"), std::slice::from_ref(&ours));
    let pod = Policy::of("alone").admit(&without_sidecar()).unwrap();
    assert_eq!(mounts(&pod, "/spec/initContainers/1/volumeMounts"), [ours]);
    let [compute] = mounts(&pod, "/spec/containers/0/volumeMounts").try_into().unwrap();
    assert_eq!(compute["mountPath"].as_str(), directory.parent().unwrap().to_str());
}

#[test]
fn the_sidecar_knows_what_its_container_sets() {
    let pod = Policy::of("alone").admit(&without_sidecar()).unwrap();
    let set = pod["spec"]["initContainers"][1]["env"].as_array().unwrap();
    assert_eq!(set[0], serde_json::json!({"name": "VHOSTUSER_WITHOUT_HOOKS", "value": "true"}));
    let values = help_of("VHOSTUSER_WITHOUT_HOOKS");
    assert!(values.contains("[possible values: true, false]"), "{values}");
    assert_eq!(set[1], serde_json::json!({"name": "NETWORK_BINDING_PLUGIN_NAME", "value": "vhostuser"}));
    help_of("NETWORK_BINDING_PLUGIN_NAME");
}
