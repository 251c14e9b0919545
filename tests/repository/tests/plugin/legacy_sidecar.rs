//! The policy that mounts the plugin's volume into the hook sidecar.

use serde_json::{Value, json};

use crate::{
    pods::{containers, of_another_binding, of_others, recorded, without_sidecar, without_volume},
    policy::Policy,
};

fn admitted(pod: &Value) -> Result<Value, String> {
    Policy::of("legacy-sidecar").admit(pod)
}

/// The same pod with the mount in this container.
fn mounted(mut pod: Value, container: usize) -> Value {
    let mounts = pod["spec"]["containers"][container]["volumeMounts"].as_array_mut().unwrap();
    mounts.push(json!({"name": "kubevirt-plugin-sockets", "mountPath": "/var/run/kubevirt-plugin/vhostuser",
        "subPath": "vhostuser"}));
    pod
}

#[test]
fn our_sidecar_gets_the_mount_and_nothing_else_changes() {
    assert_eq!(admitted(&recorded()), Ok(mounted(recorded(), 1)));
    let mut pod = recorded();
    containers(&mut pod).insert(1, of_another_binding());
    assert_eq!(admitted(&pod), Ok(mounted(pod, 2)));
}

#[test]
fn containers_may_lack_the_environment_and_variables_a_value() {
    let mut pod = recorded();
    containers(&mut pod)[0].as_object_mut().unwrap().remove("env");
    assert_eq!(admitted(&pod), Ok(mounted(pod, 1)));
    let from_a_field = json!({"name": "NETWORK_BINDING_PLUGIN_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}});
    let mut pod = recorded();
    containers(&mut pod)[0]["env"] = json!([from_a_field]);
    assert_eq!(admitted(&pod), Ok(mounted(pod, 1)));
}

/// More containers than a list of indices in the policy would have.
#[test]
fn the_sidecar_may_be_the_twentieth() {
    let mut pod = recorded();
    let disks = (0..18).map(|n| json!({"name": format!("volumedisk{n}"), "image": "i"}));
    containers(&mut pod).splice(1..1, disks);
    assert_eq!(admitted(&pod), Ok(mounted(pod, 19)));
}

#[test]
fn other_pods_stay_as_they_are() {
    let mut of_another = without_sidecar();
    containers(&mut of_another).push(of_another_binding());
    let mut without_env = without_sidecar();
    containers(&mut without_env)[0].as_object_mut().unwrap().remove("env");
    let mut without_volumes = recorded();
    without_volumes["spec"].as_object_mut().unwrap().remove("volumes");
    let cases = [
        (of_another, "sidecar"),
        (without_sidecar(), "sidecar"),
        (without_env, "sidecar"),
        (without_volume(recorded(), "kubevirt-plugin-sockets"), "gate"),
        (without_volumes, "gate"),
    ];
    let of_others = of_others(&recorded()).map(|pod| (pod, "selector"));
    for (pod, kept) in cases.into_iter().chain(of_others) {
        assert_eq!(admitted(&pod), Err(kept.to_owned()), "{pod}");
    }
}
