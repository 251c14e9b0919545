//! Whole commands against a scripted OVSDB: what is asked of it, what is answered, and what is undone.

mod add;
mod life;
mod others;
mod property;

use std::{fs, path::PathBuf, sync::mpsc::Receiver};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use ovs_sim::script;

const PORT: &str = "vhud606cb2b495";

/// A node with one device, `ovs-0`, and an OVSDB that gives these answers.
struct Node {
    dir: TempDir,
    asked: Receiver<Value>,
}

/// What came of a command.
struct Outcome {
    success: bool,
    /// Nothing where nothing was said.
    answer: Value,
    stderr: String,
}

impl Node {
    fn new(mode: &str, answers: Vec<Value>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (_, asked) = script(dir.path(), answers);
        fs::create_dir_all(dir.path().join("root/ovs-0/pod")).unwrap();
        fs::create_dir(dir.path().join("dp")).unwrap();
        let info = json!({"type": "vhost-user", "version": "1.1.0",
            "vhost-user": {"mode": mode, "path": "/var/run/vhostuser/ovs-0/vhost.sock"}});
        fs::write(dir.path().join("dp/x-ovs-0-device.json"), info.to_string()).unwrap();
        Self { dir, asked }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, command: &str, extra: &Value) -> Outcome {
        let variables = [
            ("CNI_COMMAND", command),
            ("CNI_CONTAINERID", "c1"),
            ("CNI_IFNAME", "net1"),
            ("CNI_NETNS", "/run/netns/c1"),
            ("CNI_PATH", "/nonexistent"),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut config = json!({
            "cniVersion": "1.1.0", "name": "blue", "type": "vhostuser", "bridge": "br1", "deviceID": "ovs-0",
            "ovsdb": self.path("db.sock"), "socketRoot": self.path("root"), "timeout": 4,
            "runtimeConfig": {"CNIDeviceInfoFile": self.path("cni/staged.json")},
        });
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let answer =
            run_with(variables.collect(), config.to_string().as_bytes(), Instant::now(), &self.path("dp"));
        let said = if answer.stdout.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&answer.stdout).unwrap()
        };
        Outcome { success: answer.success, answer: said, stderr: answer.stderr }
    }

    /// The requests so far, each as its operations and their tables.
    fn asked(&self) -> Vec<String> {
        let operation = |operation: &Value| {
            let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("op"), text("table")).trim().to_owned()
        };
        let request = |params: Value| {
            let operations: Vec<_> = params.as_array().unwrap().iter().skip(1).map(operation).collect();
            operations.join(", ")
        };
        self.asked.try_iter().map(request).collect()
    }

    fn staged(&self) -> bool {
        self.path("cni/staged.json").exists()
    }
}

fn rows(rows: &Value) -> Value {
    json!({ "rows": rows })
}

fn uuid(last: u8) -> Value {
    json!(["uuid", format!("36bef046-7da7-43a5-905a-c17899216f{last:02x}")])
}

fn switch() -> Value {
    rows(&json!([{"next_cfg": 9, "cur_cfg": 9, "dpdk_initialized": true}]))
}

fn bridge() -> Value {
    rows(&json!([{"_uuid": uuid(8), "name": "br1", "datapath_type": "netdev"}]))
}

fn ids(container: &str, mode: &str) -> Value {
    json!([
        "map",
        [
            ["vhostuser-owner", "network-vhostuser-binding"],
            ["vhostuser-network", "blue"],
            ["vhostuser-container-id", container],
            ["vhostuser-ifname", "net1"],
            ["vhostuser-device", "ovs-0"],
            ["vhostuser-mode", mode]
        ]
    ])
}

fn port(container: &str, mode: &str) -> Value {
    let none = json!(["set", []]);
    rows(
        &json!([{"_uuid": uuid(1), "name": PORT, "interfaces": uuid(2), "tag": none, "trunks": none, "vlan_mode": none,
        "qos": none, "external_ids": ids(container, mode)}]),
    )
}

fn interface(options: &Value, error: &Value) -> Value {
    let none = json!(["set", []]);
    let listening = options[1][0].is_null();
    let (kind, mode) =
        if listening { ("dpdkvhostuser", "client") } else { ("dpdkvhostuserclient", "server") };
    rows(
        &json!([{"_uuid": uuid(2), "name": PORT, "type": kind, "options": options, "ofport": 5, "error": error,
        "mtu_request": none, "mtu": none, "ingress_policing_rate": 0, "ingress_policing_burst": 0, "link_state": none,
        "mac_in_use": none, "status": ["map", []], "statistics": ["map", []], "external_ids": ids("c1", mode)}]),
    )
}

fn nothing() -> Value {
    rows(&json!([]))
}

fn fresh() -> Value {
    json!([switch(), bridge(), nothing(), nothing(), nothing()])
}

/// The results of a transaction of so many operations, the last of which reads the number to reach.
fn changed(operations: usize) -> Value {
    let mut results = vec![json!({}); operations - 1];
    results.push(rows(&json!([{"next_cfg": 10}])));
    results.into()
}

fn carried_out(error: &Value) -> Value {
    json!([{}, interface(&json!(["map", []]), error)])
}

fn no_error() -> Value {
    json!(["set", []])
}

const LOOK: &str = "select Open_vSwitch, select Bridge, select Port, select Interface, select Port";
const CREATE: &str = "wait Bridge, wait Interface, wait Port, wait Port, insert Interface, insert Port, mutate Bridge, \
                      comment, mutate Open_vSwitch, select Open_vSwitch";
const WAIT: &str = "wait Open_vSwitch, select Interface";
const FIND: &str = "select Port, select QoS";
/// Before the device is held, and after.
fn twice(answer: &Value) -> Vec<Value> {
    vec![answer.clone(), answer.clone()]
}

const REMOVE: &str = "mutate Bridge, delete Port, comment, mutate Open_vSwitch, select Open_vSwitch";

fn options(node: &Node) -> Value {
    json!(["map", [["vhost-server-path", node.path("root/ovs-0/pod/vhost.sock")]]])
}

/// The answers of a node whose port is there already; they name its folder, so they come after it is made.
fn attached(container: &str) -> Node {
    let node = Node::new("server", vec![]);
    fs::remove_file(node.path("db.sock")).unwrap();
    let of_attachment = if container == "c1" { port("c1", "server") } else { nothing() };
    let options = options(&node);
    let found = json!([
        switch(),
        bridge(),
        port(container, "server"),
        interface(&options, &no_error()),
        of_attachment
    ]);
    let (_, asked) = script(
        node.dir.path(),
        vec![found, json!([bridge()]), json!([{}, interface(&options, &no_error())])],
    );
    Node { asked, ..node }
}
