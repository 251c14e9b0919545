//! `doctor`: exit codes, and where it prints what. Its findings have unit tests.

use std::fs;

use crate::program::{Files, Outcome, Run, failed};

const DEVICE_PLUGIN: &str = env!("CARGO_BIN_EXE_vhostuser-device-plugin");

/// `doctor pod` in a pod that is right, as far as the test's files make one.
fn pod(files: &Files) -> Run {
    fs::create_dir_all(files.path("hooks")).unwrap();
    Run::new("doctor")
        .arg("pod")
        .arg("--hook-dir=hooks")
        .arg("--network-info=network-info")
        .arg("--dra-dir=claims")
        .dir(files.dir())
}

#[test]
fn nothing_wrong_is_0() {
    let Outcome { code, stdout, stderr } = pod(&Files::new()).outcome();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("- no CONTAINER_NAME: "), "{stdout}");
    assert!(stdout.ends_with("\n\nNothing is wrong.\n"), "{stdout}");
}

#[test]
fn findings_are_1_as_text_and_as_json() {
    let files = Files::new();
    files.write("network-info", "");
    let Outcome { code, stdout, stderr } = pod(&files).outcome();
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let expected = "
network-info-unusable: network-info is empty: the VM's networks are not known
  where: network-info
  mend:  wait for Multus; then: kubectl get pod <pod> -o jsonpath='{.metadata.annotations}' | grep network-info

1 finding.
";
    assert!(stdout.ends_with(expected), "{stdout}");
    let Outcome { code, stdout, stderr } = pod(&files).arg("--json").outcome();
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["findings"][0]["id"], "network-info-unusable");
}

#[test]
fn what_cannot_be_looked_at_is_2() {
    let files = Files::new();
    let node = Run::of(DEVICE_PLUGIN, "doctor").arg("--config=none.yaml").dir(files.dir());
    let message = "error: none.yaml: does not exist: name the device plugin's configuration with --config";
    assert_eq!(node.outcome(), failed(2, message));
    let wrong = pod(&files).arg("--compute-hook-dir=x").outcome();
    assert_eq!(wrong, failed(2, "error: --compute-hook-dir: path 'x' is not absolute"));
    assert_eq!(Run::new("doctor").outcome().code, Some(2));
    let message = "error: a node is looked at with 'vhostuser-device-plugin doctor', on the node or in the device plugin's pod";
    assert_eq!(Run::new("doctor").arg("node").outcome(), failed(2, message));
}

/// It looks at a machine without any of this, and leaves it so.
#[test]
fn a_machine_that_is_no_node_has_findings() {
    let files = Files::new();
    let yaml = format!(
        "{{domain: a.b, sockets: {{hostRoot: {0}/root}}, switches: [{{name: ovs, ovsdb: {0}/db.sock, bridge: br1}}],
          resources: [{{name: s, ports: 1, mode: server, switch: ovs}}]}}",
        files.dir().display()
    );
    files.write("config.yaml", yaml);
    let before = names(&files);
    let node = Run::of(DEVICE_PLUGIN, "doctor").arg("--json").arg("--config=config.yaml");
    let Outcome { code, stdout, stderr } = node.arg("--device-info-dir=info").dir(files.dir()).outcome();
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let ids: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["id"]).collect();
    // What hugepages this machine has is its own business.
    let ids: Vec<_> = ids.into_iter().filter(|id| !id.as_str().unwrap().starts_with("hugepages-")).collect();
    assert_eq!(ids, ["vswitchd-unknown", "ovsdb-silent", "root-missing", "info-missing"]);
    assert_eq!(names(&files), before);
}

fn names(files: &Files) -> Vec<String> {
    let entries = fs::read_dir(files.dir()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
