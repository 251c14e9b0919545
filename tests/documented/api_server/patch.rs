//! Merge patches (RFC 7386), and the one operation of JSON patches (RFC 6902) that the pages use: `add`.

use serde_json::{Value, json};

pub fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// `None` if there is no list at the path.
pub fn add(target: &mut Value, patch: &Value) -> Option<()> {
    for operation in patch.as_array().unwrap() {
        assert_eq!(operation["op"], "add", "not known here");
        let list = operation["path"].as_str().unwrap().strip_suffix("/-").expect("appends");
        target.pointer_mut(list)?.as_array_mut()?.push(operation["value"].clone());
    }
    Some(())
}
