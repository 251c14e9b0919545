//! `doctor`: exit codes, and where it prints what. Its findings have unit tests.

use std::fs;

use expect_test::expect;

use crate::program::{Files, Outcome, Run, failed};

/// `doctor pod` in a correct pod, as far as the test's files make one.
fn pod(files: &Files) -> Run {
    fs::create_dir_all(files.path("hooks")).unwrap();
    Run::new("doctor")
        .arg("pod")
        .arg(&format!("--hook-dir={}", files.path("hooks").display()))
        .arg("--network-info=network-info")
        .arg("--dra-dir=claims")
        .dir(files.dir())
}

#[test]
fn no_problems_is_0() {
    let Outcome { code, stdout, stderr } = pod(&Files::new()).outcome();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("- no CONTAINER_NAME: "), "{stdout}");
    assert!(stdout.ends_with("\n\nNo problems found.\n"), "{stdout}");
}

#[test]
fn findings_are_1_as_text_and_as_json() {
    let files = Files::new();
    files.write("network-info", "");
    let Outcome { code, stdout, stderr } = pod(&files).outcome();
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    expect![[r#"
        - no CONTAINER_NAME: KubeVirt 1.5 or older, with one hook directory for all sidecars
        - KubeVirt's plugin framework is not served here. If the VMI says "Missing required attribute 'path' in element 'source'", the cluster has a Plugin object: apply manifests/plugin/legacy-sidecar, then restart the VM

        network-info-unusable: network-info is empty: the VM's networks are unknown
          where: network-info
          fix:   wait for Multus; then: kubectl get pod <pod> -o jsonpath='{.metadata.annotations}' | grep network-info

        1 finding.
    "#]].assert_eq(&stdout);
    let Outcome { code, stdout, stderr } = pod(&files).arg("--json").outcome();
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["findings"][0]["id"], "network-info-unusable");
}

#[test]
fn invalid_usage_is_2() {
    let files = Files::new();
    let expected = "an absolute path without '..' that leaves room for a socket's path of 107 bytes";
    let wrong = pod(&files).arg("--compute-hook-dir=x").outcome();
    assert_eq!(
        wrong,
        failed(
            2,
            &format!(
                "error: invalid value 'x' for '--compute-hook-dir <DIR>': expected {expected}\n\nFor more information, try '--help'."
            )
        )
    );
    assert_eq!(Run::new("doctor").outcome().code, Some(2));
    let message = "error: to inspect a node, run 'vhostuser-device-plugin doctor', on the node or in the device plugin's pod";
    assert_eq!(Run::new("doctor").arg("node").outcome(), failed(2, message));
}
