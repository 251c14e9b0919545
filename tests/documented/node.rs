//! Commands for a node and for a VM's pod, run in the root folder of the dataplane test: it has Debian's OVS.

use std::{env, path::PathBuf, process::Command};

use crate::pages::path;

pub const COMMANDS: [&str; 6] = [FIND, EMPTY[0], EMPTY[1], EMPTY[2], DOCTOR, DOCTOR_POD];

const FIND: &str =
    "ovs-vsctl --columns=name,external_ids find port external_ids:vhostuser-owner=network-vhostuser-binding";
const EMPTY: [&str; 3] = [
    "empty=$(mktemp -d)/empty.db",
    r#"ovsdb-tool create "$empty" /usr/share/openvswitch/vswitch.ovsschema"#,
    r#"ovsdb-server "$empty" --remote=punix:/var/run/openvswitch/db.sock"#,
];
const DOCTOR: &str = "vhostuser-device-plugin doctor";
const DOCTOR_POD: &str = "network-vhostuser-binding doctor pod";

/// What a script prints on a node.
fn on_node(script: &str) -> String {
    let dataplane = env::var_os("DATAPLANE_DIR")
        .map_or_else(|| PathBuf::from("/var/tmp/vhostuser-dataplane"), PathBuf::from);
    let program = programs::cni_plugin();
    let binaries = program.parent().unwrap();
    let mut command = Command::new("timeout");
    command.args(["60", "unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]);
    command.arg(path("tests/documented/node.sh")).arg(dataplane.join("trixie")).arg(binaries).arg(script);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

/// The server of the empty database keeps running, so the script runs next to it.
fn beside_an_empty_database(script: &str) -> String {
    let server = EMPTY.join("\n");
    let listens = "until [ -S /var/run/openvswitch/db.sock ]; do sleep 0.05; done";
    on_node(&format!("{{\n{server}\n}} 2>/tmp/log &\n{listens}\n{script}\n"))
}

#[test]
fn ports_are_found_by_their_marks() {
    let script = format!(
        "ovs-vsctl --no-wait init
        {FIND}
        ovs-vsctl --no-wait add-br br1 -- add-port br1 other -- add-port br1 ours \
            -- set port ours external_ids:vhostuser-owner=network-vhostuser-binding
        {FIND}"
    );
    let expected =
        "name                : ours\nexternal_ids        : {vhostuser-owner=network-vhostuser-binding}\n";
    assert_eq!(beside_an_empty_database(&script), expected);
}

/// As docs/cni.md promises for a node whose OVSDB never comes back.
#[test]
fn del_succeeds_beside_an_empty_database_and_not_without() {
    let del = r#"export CNI_COMMAND=DEL CNI_CONTAINERID=c CNI_IFNAME=net1 CNI_PATH=/tmp/bin
        config='{"cniVersion": "1.0.0", "name": "n", "type": "vhostuser", "bridge": "br1", "deviceID": "d"}'
        vhostuser <<<"$config" >/tmp/answer && echo succeeded || echo failed"#;
    assert_eq!(on_node(del), "failed\n");
    assert_eq!(beside_an_empty_database(del), "succeeded\n");
}

#[test]
fn doctor_looks_at_a_node() {
    let report = beside_an_empty_database(&format!("{DOCTOR} || echo \"exit code $?\""));
    let found = report.contains("\ndpdk-off: ") && !report.contains("\novsdb-silent: ");
    assert!(found, "{report}");
    assert!(report.ends_with(" findings.\nexit code 1\n"), "{report}");
}

#[test]
fn doctor_looks_at_a_pod() {
    let report = on_node(&format!("{DOCTOR_POD} || echo \"exit code $?\""));
    assert!(report.contains("\nhook-dir-missing: "), "{report}");
    assert!(report.ends_with(" findings.\nexit code 1\n"), "{report}");
}
