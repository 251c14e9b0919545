//! The registration in the KubeVirt CR.

use serde_json::json;

use crate::yaml::documents;

#[test]
fn the_registration_says_exactly_what_is_needed() {
    let image = format!("registry.example/network-vhostuser-binding:v{}", env!("CARGO_PKG_VERSION"));
    // The merge patch removes what the other file has registered.
    for (file, image) in [("binding", json!(image)), ("binding-alone", json!(null))] {
        let binding = json!({"sidecarImage": image, "downwardAPI": "device-info", "migration": {}});
        // The name is the sidecar's default for --binding-name, and that of every example.
        let expected = json!({"spec": {"configuration": {"network": {"binding": {"vhostuser": binding}}}}});
        assert_eq!(documents(&format!("manifests/kubevirt/{file}.yaml")), [expected]);
    }
}

#[test]
fn gates_are_appended_one_by_one() {
    for (file, gate) in
        [("gate-binding-plugins", "NetworkBindingPlugins"), ("gate-dra", "NetworkDevicesWithDRA")]
    {
        let path = "/spec/configuration/developerConfiguration/featureGates/-";
        let expected = json!([{"op": "add", "path": path, "value": gate}]);
        assert_eq!(documents(&format!("manifests/kubevirt/{file}.yaml")), [expected]);
    }
}
