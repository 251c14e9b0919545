//! The NetworkAttachmentDefinitions.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::yaml::{config, documents, resources, string};

pub const RESOURCE_NAME: &str = "k8s.v1.cni.cncf.io/resourceName";

/// `<namespace>/<name>` and resource of each.
pub fn networks() -> BTreeMap<String, String> {
    let nads = documents("examples/nad.yaml").into_iter();
    nads.map(|nad| {
        let metadata = &nad["metadata"];
        let name = format!("{}/{}", string(&metadata["namespace"]), string(&metadata["name"]));
        (name, string(&metadata["annotations"][RESOURCE_NAME]).to_owned())
    })
    .collect()
}

fn configs() -> Vec<Value> {
    let nads = documents("examples/nad.yaml").into_iter();
    nads.map(|nad| {
        let config: Value = serde_json::from_str(string(&nad["spec"]["config"])).unwrap();
        assert_eq!(config["name"], nad["metadata"]["name"]);
        config
    })
    .collect()
}

#[test]
fn type_resource_and_bridge_are_those_of_the_node() {
    let shipped = config();
    for config in configs() {
        assert_eq!(config["type"], programs::cni_plugin().file_name().unwrap().to_str().unwrap());
        assert!(shipped.switches.iter().any(|switch| config["bridge"] == *switch.bridge), "{config}");
    }
    for (nad, resource) in networks() {
        assert!(resources(&shipped).contains(&resource), "{nad}: {resource}");
    }
}

/// STATUS reads the whole configuration and then looks for the switch, which is not there.
fn status(mut config: Value) -> Value {
    config["cniVersion"] = json!("1.1.0");
    config["ovsdb"] = json!("/nonexistent/db.sock");
    let mut child = Command::new(programs::cni_plugin())
        .env_clear()
        .env("CNI_COMMAND", "STATUS")
        .env("CNI_PATH", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(config.to_string().as_bytes()).unwrap();
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn the_cni_plugin_knows_every_field() {
    for config in configs() {
        // The plugin is not available: its configuration was right.
        assert_eq!(status(config.clone())["code"], 50, "{config}");
        let mut wrong = config;
        wrong["vlans"] = json!(7);
        assert_eq!(status(wrong)["code"], 2);
    }
}
