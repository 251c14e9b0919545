//! The Plugin's condition, over the VMIs of the golden cases. virt-launcher gives it KubeVirt's Go structs.

use std::{fs, sync::Arc};

use cel::{Env, ExecutionError, Value};
use serde_json::json;

use crate::{dialects::evaluate, object};

type Json = serde_json::Value;

const CONDITION: &str =
    r#"vmi.Spec.Domain.Devices.Interfaces.exists(i, has(i.Binding) && i.Binding.Name == "vhostuser")"#;
const WITH_JSON_NAMES: &str =
    r#"vmi.spec.domain.devices.interfaces.exists(i, has(i.binding) && i.binding.name == "vhostuser")"#;

fn recorded(case: &str) -> Json {
    let file = programs::repository().join("tests/golden").join(case).join("vmi.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The VMI as KubeVirt's struct has it: the fields of `metadata` are the VMI's own (`metav1.ObjectMeta` is embedded).
fn as_go_struct(vmi: &Json) -> Json {
    let mut names = with_go_names(vmi);
    let metadata = names.as_object_mut().unwrap().remove("Metadata").unwrap();
    names.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    names
}

/// Go's name of each field that a condition needs is the JSON name with a capital letter.
fn with_go_names(json: &Json) -> Json {
    let capital = |name: &str| name[..1].to_uppercase() + &name[1..];
    match json {
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (capital(name), with_go_names(value))).collect()
        }
        Json::Array(items) => items.iter().map(with_go_names).collect(),
        other => other.clone(),
    }
}

fn condition() -> String {
    let plugin = object("base/plugin.yaml", "Plugin");
    plugin["spec"]["domainHooks"][0]["condition"].as_str().unwrap().to_owned()
}

fn matches(text: &str, vmi: &Json) -> Result<Value, ExecutionError> {
    evaluate(Env::stdlib(), text, &[("vmi", vmi)])
}

#[test]
fn it_is_true_for_vms_with_our_binding() {
    assert_eq!(condition(), CONDITION);
    assert_eq!(object("base/plugin.yaml", "Plugin")["spec"]["failureStrategy"], "Fail");
    let cases = [
        ("binding-named-by-flag", true), // masquerade, ours and another binding
        ("eight-nics", true),
        ("no-nic-of-ours", false),            // masquerade
        ("refused-ambiguous-binding", false), // two other bindings
    ];
    for (case, expected) in cases {
        let matched = matches(&condition(), &as_go_struct(&recorded(case)));
        assert_eq!(matched, Ok(Value::Bool(expected)), "{case}");
    }
    // In Go a list that nobody has set is an empty one.
    let mut without_nics = as_go_struct(&recorded("no-nic-of-ours"));
    without_nics["Spec"]["Domain"]["Devices"]["Interfaces"] = json!([]);
    assert_eq!(matches(&condition(), &without_nics), Ok(Value::Bool(false)));
}

/// KubeVirt fails every VM then.
#[test]
fn the_other_dialects_names_fail() {
    let vmi = recorded("eight-nics");
    let no_such = |name: &str| Err(ExecutionError::NoSuchKey(Arc::new(name.to_owned())));
    assert_eq!(matches(WITH_JSON_NAMES, &vmi), Ok(Value::Bool(true)));
    assert_eq!(matches(WITH_JSON_NAMES, &as_go_struct(&vmi)), no_such("spec"));
    assert_eq!(matches("vmi.Metadata.Name == 'x'", &as_go_struct(&vmi)), no_such("Metadata"));
    assert_eq!(matches("vmi.Namespace == 'default'", &as_go_struct(&vmi)), Ok(Value::Bool(true)));
    assert_eq!(matches(&condition(), &vmi), no_such("Spec"));
}
