//! A VMI as users have it: JSON or YAML, and often still inside a VirtualMachine.

use serde_json::{Value, json};

/// What a manifest gives `render`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The VMI as JSON.
    pub(super) vmi: Vec<u8>,
    /// What the JSON lacks.
    pub(super) warning: Option<String>,
}

/// The VMI that a manifest describes. For a VirtualMachine it is the template, with the VM's name and namespace,
/// without what KubeVirt's webhooks would add.
pub(super) fn vmi_json(manifest: &[u8]) -> Result<Manifest, String> {
    let begins_json =
        manifest.trim_ascii_start().starts_with(b"{") || manifest.starts_with("\u{feff}".as_bytes());
    let value = match begins_json {
        true => serde_json::from_slice(manifest).ok(),
        false => Some(from_yaml(manifest)?),
    };
    Ok(match value {
        Some(vm) if is_vm(&vm) => {
            Manifest { vmi: template(&vm).to_string().into(), warning: unexpanded(&vm) }
        }
        Some(vmi) if !begins_json => Manifest { vmi: vmi.to_string().into(), warning: None },
        // Invalid JSON is left to the hook's parser, for its message.
        _ => Manifest { vmi: manifest.to_owned(), warning: None },
    })
}

fn from_yaml(manifest: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(manifest).map_err(|_| "neither JSON nor YAML: not UTF-8".to_owned())?;
    let documents = serde_saphyr::from_multiple(text).map_err(|_| "neither JSON nor YAML".to_owned())?;
    the_vm(documents)
}

/// The only document, or the only VM among what is applied together with it.
fn the_vm(documents: Vec<Value>) -> Result<Value, String> {
    let count = documents.len();
    let is_wanted = |value: &Value| count == 1 || is_vm(value) || value["kind"] == "VirtualMachineInstance";
    let vms: Vec<_> = documents.into_iter().filter(is_wanted).collect();
    match <[Value; 1]>::try_from(vms) {
        Ok([vm]) => Ok(vm),
        // An empty document is left to the hook's parser, for its message.
        Err(_) if count == 0 => Ok(Value::Null),
        Err(vms) => Err(format!("expected one VM, found {} in {count} documents", vms.len())),
    }
}

fn is_vm(value: &Value) -> bool {
    value["kind"] == "VirtualMachine"
}

fn template(vm: &Value) -> Value {
    let template = &vm["spec"]["template"];
    json!({
        "kind": "VirtualMachineInstance",
        "metadata": {
            "name": vm["metadata"]["name"],
            "namespace": vm["metadata"]["namespace"],
            "annotations": template["metadata"]["annotations"],
        },
        "spec": template["spec"],
    })
}

/// Only KubeVirt can look up what these references stand for.
fn unexpanded(vm: &Value) -> Option<String> {
    let fields = ["instancetype", "preference"].map(|field| (field, &vm["spec"][field]));
    let given: Vec<_> =
        fields.iter().filter(|(_, value)| !value.is_null()).map(|(field, _)| *field).collect();
    (!given.is_empty()).then(|| {
        format!(
            "the VM has spec.{}, which is not expanded here: CPUs (queue pairs), memory and devices may differ from the \
             running VM's; render its VMI instead: kubectl get vmi <name> -o yaml",
            given.join(" and spec.")
        )
    })
}
