//! A VMI as people have it: JSON or YAML, and often still inside a VirtualMachine.

use serde_json::{Value, json};

/// The JSON of the VMI that a manifest describes. Of a VirtualMachine it is the template, with the VM's name and
/// namespace; what KubeVirt's webhooks would fill in is not there.
pub(super) fn vmi_json(manifest: &[u8]) -> Result<Vec<u8>, String> {
    let begins_json =
        manifest.trim_ascii_start().starts_with(b"{") || manifest.starts_with("\u{feff}".as_bytes());
    if begins_json {
        return match serde_json::from_slice::<Value>(manifest) {
            Ok(value) if is_vm(&value) => Ok(of_vm(&value).to_string().into_bytes()),
            // The hook's own words for what is no JSON.
            _ => Ok(manifest.to_owned()),
        };
    }
    let text =
        std::str::from_utf8(manifest).map_err(|_| "it is neither JSON nor YAML: not UTF-8".to_owned())?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|_| "it is neither JSON nor YAML".to_owned())?;
    let value = the_vm(documents)?;
    let value = if is_vm(&value) { of_vm(&value) } else { value };
    Ok(value.to_string().into_bytes())
}

/// The only document, or the only VM among what is applied together with it.
fn the_vm(documents: Vec<Value>) -> Result<Value, String> {
    let count = documents.len();
    let is_wanted = |value: &Value| count == 1 || is_vm(value) || value["kind"] == "VirtualMachineInstance";
    let vms: Vec<_> = documents.into_iter().filter(is_wanted).collect();
    match <[Value; 1]>::try_from(vms) {
        Ok([vm]) => Ok(vm),
        // The hook's own words for a VMI without anything.
        Err(_) if count == 0 => Ok(Value::Null),
        Err(vms) => {
            Err(format!("it has {count} documents, and {} of them are VMs instead of one", vms.len()))
        }
    }
}

fn is_vm(value: &Value) -> bool {
    value["kind"] == "VirtualMachine"
}

fn of_vm(vm: &Value) -> Value {
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
