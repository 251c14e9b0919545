//! The DaemonSet against the device plugin's binary.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::yaml::{config, document, items, named, path, string};

/// The pod's specification.
pub fn pod() -> Value {
    document("manifests/base/daemonset.yaml", "DaemonSet")["spec"]["template"]["spec"].clone()
}

fn device_plugin() -> Value {
    named(&pod()["containers"], "device-plugin").clone()
}

fn install_cni() -> Value {
    named(&pod()["initContainers"], "install-cni").clone()
}

fn help(command: &[&str]) -> String {
    let help =
        Command::new(programs::device_plugin()).env_clear().args(command).arg("--help").output().unwrap();
    assert!(help.status.success());
    String::from_utf8(help.stdout).unwrap()
}

/// The flags that the help of a command lists.
fn known_flags(command: &[&str]) -> BTreeSet<String> {
    let help = help(command);
    let words = help.split_whitespace().filter(|word| word.starts_with("--"));
    words.map(|word| word.trim_end_matches([',', '.', ']']).to_owned()).collect()
}

/// A container's flags and their values.
fn flags(container: &Value) -> Vec<(String, String)> {
    let arguments =
        items(&container["args"]).iter().map(string).filter(|argument| argument.starts_with("--"));
    arguments
        .map(|argument| {
            let (flag, value) = argument.split_once('=').unwrap();
            (flag.to_owned(), value.to_owned())
        })
        .collect()
}

/// The path on the host that a container sees under this one.
fn host_path(container: &Value, seen: &str) -> String {
    let mounts = items(&container["volumeMounts"]).iter();
    let below = |mount: &&Value| seen.starts_with(&format!("{}/", string(&mount["mountPath"])));
    let same = |mount: &&Value| mount["mountPath"] == seen;
    let mount = mounts
        .filter(|mount| below(mount) || same(mount))
        .max_by_key(|mount| string(&mount["mountPath"]).len());
    let mount = mount.unwrap_or_else(|| panic!("{seen} is on no volume"));
    let pod = pod();
    let volume = named(&pod["volumes"], string(&mount["name"]));
    let rest = &seen[string(&mount["mountPath"]).len()..];
    format!("{}{rest}", string(&volume["hostPath"]["path"]))
}

#[test]
fn every_flag_is_known() {
    let container = device_plugin();
    let named: Vec<_> = flags(&container).into_iter().map(|(flag, _)| flag).collect();
    assert_eq!(named, ["--config", "--kubelet-dir", "--pod-resources", "--device-info-dir", "--listen"]);
    let known = known_flags(&[]);
    assert!(named.iter().all(|flag| known.contains(flag)), "{named:?} of {known:?}");

    let container = install_cni();
    assert_eq!(container["args"][0], "install-cni");
    let named: Vec<_> = flags(&container).into_iter().map(|(flag, _)| flag).collect();
    assert_eq!(named, ["--from", "--to"]);
    let known = known_flags(&["install-cni"]);
    assert!(named.iter().all(|flag| known.contains(flag)), "{named:?} of {known:?}");
}

#[test]
fn every_variable_is_known_and_says_which_pod_it_is() {
    let container = device_plugin();
    let expected = [("POD_NAMESPACE", "metadata.namespace"), ("POD_NAME", "metadata.name")];
    let variable = |(name, path)| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    assert_eq!(container["env"], json!(expected.map(variable)));
    let help = help(&[]);
    for (name, _) in expected {
        assert!(help.contains(&format!("[env: {name}=]")), "{name}");
    }
    assert_eq!(install_cni()["env"], Value::Null);
}

/// What a value does not say, the kubelet or Multus would not find.
#[test]
fn every_path_is_on_the_volume_of_its_host_path() {
    let container = device_plugin();
    let mut found: Vec<_> = flags(&container)
        .into_iter()
        .filter(|(flag, _)| !["--config", "--listen"].contains(&flag.as_str()))
        .map(|(flag, value)| (flag, host_path(&container, &value)))
        .collect();
    found.extend(
        flags(&install_cni())
            .into_iter()
            .filter(|(flag, _)| flag == "--to")
            .map(|(flag, value)| (flag, host_path(&install_cni(), &value))),
    );
    let config = config();
    found.push(("hostRoot".to_owned(), host_path(&container, &config.sockets.host_root.to_string())));
    for switch in &config.switches {
        found.push(("ovsdb".to_owned(), host_path(&container, &switch.ovsdb.to_string())));
    }
    let expected = [
        ("--kubelet-dir", "/var/lib/kubelet/device-plugins"),
        ("--pod-resources", "/var/lib/kubelet/pod-resources/kubelet.sock"),
        // /var/run is a link to /run on every host.
        ("--device-info-dir", "/run/k8s.cni.cncf.io/devinfo/dp"),
        ("--to", "/opt/cni/bin"),
        ("hostRoot", "/run/vhostuser"),
        ("ovsdb", "/run/openvswitch/db.sock"),
    ];
    let expected = expected.map(|(what, path)| (what.to_owned(), path.to_owned()));
    assert_eq!(found, expected);
}

/// The program is where the image has it, and the volume is what is mounted from.
#[test]
fn the_cni_plugin_is_installed_from_where_the_image_has_it() {
    let image = std::fs::read_to_string(path("Containerfile.node")).unwrap();
    assert!(image.contains("\nCOPY vhostuser-device-plugin vhostuser /usr/bin/\n"));
    assert!(image.contains("\nENTRYPOINT [\"/usr/bin/vhostuser-device-plugin\"]\n"));
    assert!(flags(&install_cni()).contains(&("--from".to_owned(), "/usr/bin/vhostuser".to_owned())));
    for container in [device_plugin(), install_cni()] {
        assert_eq!(container["command"], Value::Null, "the image's entry point");
        assert_eq!(container["image"], "vhostuser-node");
    }
}

/// The configuration's file is where the ConfigMap is mounted.
#[test]
fn the_binary_accepts_each_configuration_that_is_shipped() {
    let container = device_plugin();
    let (_, file) = flags(&container).into_iter().find(|(flag, _)| flag == "--config").unwrap();
    let mount = named(&container["volumeMounts"], "config");
    assert_eq!(file, format!("{}/device-plugin.yaml", string(&mount["mountPath"])));
    for shipped in [
        "manifests/base/device-plugin.yaml",
        "manifests/openshift/device-plugin.yaml",
        "examples/device-plugin.yaml",
    ] {
        let checked = Command::new(programs::device_plugin())
            .arg("--check")
            .arg("--config")
            .arg(path(shipped))
            .output()
            .unwrap();
        assert_eq!(
            (checked.status.code(), String::from_utf8(checked.stderr).unwrap()),
            (Some(0), String::new()),
            "{shipped}"
        );
    }
}

/// Exact, so that nobody adds a privilege unseen.
#[test]
fn privileges_are_those_that_are_explained() {
    let pod = pod();
    assert_eq!(pod["automountServiceAccountToken"], false);
    for field in ["hostNetwork", "hostPID", "hostIPC", "securityContext"] {
        assert_eq!(pod[field], Value::Null, "{field}");
    }
    assert_eq!(
        device_plugin()["securityContext"],
        json!({"privileged": true, "readOnlyRootFilesystem": true})
    );
    assert_eq!(
        install_cni()["securityContext"],
        json!({
            "runAsUser": 0,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    let container = device_plugin();
    let shared =
        items(&container["volumeMounts"]).iter().filter(|mount| mount["mountPropagation"] == "Bidirectional");
    assert_eq!(shared.map(|mount| string(&mount["name"])).collect::<Vec<_>>(), ["run"]);
    assert_eq!(named(&container["volumeMounts"], "pod-resources")["readOnly"], true);
    assert_eq!(
        (&pod["priorityClassName"], &pod["tolerations"]),
        (&json!("system-node-critical"), &json!([{"operator": "Exists"}]))
    );
}

#[test]
fn the_port_is_the_one_that_is_listened_on() {
    let container = device_plugin();
    let (_, address) = flags(&container).into_iter().find(|(flag, _)| flag == "--listen").unwrap();
    let (_, port) = address.rsplit_once(':').unwrap();
    assert_eq!(
        container["ports"],
        json!([{"name": "metrics", "containerPort": port.parse::<u16>().unwrap()}])
    );
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "metrics");
    }
    let monitor = document("manifests/podmonitor/podmonitor.yaml", "PodMonitor");
    let endpoint = &monitor["spec"]["podMetricsEndpoints"][0];
    assert_eq!(endpoint["port"], "metrics");
    // Else the tenants' namespaces and pods become `exported_…`, and no series says which node it is from.
    assert_eq!(endpoint["honorLabels"], true);
    assert_eq!(
        endpoint["relabelings"],
        json!([{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}])
    );
    let labels = &document("manifests/base/daemonset.yaml", "DaemonSet")["spec"]["selector"];
    assert_eq!(&monitor["spec"]["selector"], labels);
}
