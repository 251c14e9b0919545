//! Reading manifests.

use std::{collections::BTreeSet, fs, path::PathBuf};

use device_plugin::config::Config;
use serde_json::Value;

/// A path of the repository.
pub fn path(name: &str) -> PathBuf {
    programs::repository().join(name)
}

pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All documents of a file.
pub fn documents(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The document of this kind.
pub fn document(name: &str, kind: &str) -> Value {
    let mut found: Vec<_> = documents(name).into_iter().filter(|value| value["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind} in {name}");
    found.remove(0)
}

/// The items of a list, none if it is absent.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// The item of a list with this name.
pub fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    items(list).iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// The configuration that the manifests ship.
pub fn config() -> Config {
    Config::parse(&text("manifests/base/device-plugin.yaml")).unwrap()
}

/// The names of all resources that a configuration offers.
pub fn resources(config: &Config) -> BTreeSet<String> {
    let names = config.resources.iter().map(|ports| &ports.name).chain(&config.dataplane);
    names.map(|name| config.full_name(name)).collect()
}

/// What a container requests of whom has a domain of its own, and in what quantity.
pub fn extended(container: &Value) -> Vec<(String, String)> {
    let of = |kind: &str| -> Vec<(String, String)> {
        let Some(map) = container["resources"][kind].as_object() else { return Vec::new() };
        let extended = map.iter().filter(|(name, _)| name.contains('/'));
        extended.map(|(name, quantity)| (name.clone(), string(quantity).to_owned())).collect()
    };
    // Kubernetes refuses extended resources whose request is not their limit.
    assert_eq!(of("requests"), of("limits"));
    of("limits")
}
