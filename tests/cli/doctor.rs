//! `doctor`: exit codes, and where it prints what. Its findings have unit tests.

use std::fs;

use crate::program::{Files, Outcome, Run, failed};

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
  fix:   wait for Multus; then: kubectl get pod <pod> -o jsonpath='{.metadata.annotations}' | grep network-info

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
    let wrong = pod(&files).arg("--compute-hook-dir=x").outcome();
    assert_eq!(wrong, failed(2, "error: --compute-hook-dir: path 'x' is not absolute"));
    assert_eq!(Run::new("doctor").outcome().code, Some(2));
    let message = "error: a node is looked at with 'vhostuser-device-plugin doctor', on the node or in the device plugin's pod";
    assert_eq!(Run::new("doctor").arg("node").outcome(), failed(2, message));
}
