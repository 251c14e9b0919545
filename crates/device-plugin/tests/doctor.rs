//! `vhostuser-device-plugin doctor`: exit codes, and where it prints what. Its findings have unit tests.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

/// Exit code, standard output and standard error of `doctor` in a folder.
fn doctor(dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vhostuser-device-plugin"));
    let output = command.arg("doctor").args(arguments).current_dir(dir).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_missing_configuration_is_2() {
    let dir = tempfile::tempdir().unwrap();
    let message = "error: none.yaml: does not exist: pass the device plugin's configuration with --config\n";
    assert_eq!(doctor(dir.path(), &["--config=none.yaml"]), (Some(2), String::new(), message.to_owned()));
}

/// It looks at a machine without any of this, and leaves it so.
#[test]
fn a_machine_that_is_not_a_node_has_findings() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let yaml = format!(
        "{{domain: a.b, sockets: {{hostRoot: {0}/root}}, switches: [{{name: ovs, ovsdb: {0}/db.sock, bridge: br1}}],
          resources: [{{name: s, ports: 1, mode: server, switch: ovs}}]}}",
        dir.display()
    );
    fs::write(dir.join("config.yaml"), yaml).unwrap();
    let before = names(dir);
    let (code, stdout, stderr) = doctor(dir, &["--json", "--config=config.yaml", "--device-info-dir=info"]);
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let ids: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["id"]).collect();
    // What hugepages this machine has is its own business.
    let ids: Vec<_> = ids.into_iter().filter(|id| !id.as_str().unwrap().starts_with("hugepages-")).collect();
    assert_eq!(ids, ["vswitchd-unknown", "ovsdb-silent", "root-missing", "info-missing"]);
    assert_eq!(names(dir), before);
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
