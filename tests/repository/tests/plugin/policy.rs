//! What the API server makes of a pod by a MutatingAdmissionPolicy with a JSON patch.

use cel::Value;
use serde_json::json;

use crate::{
    dialects::{evaluate, json_of, of_kubernetes},
    object,
};

type Json = serde_json::Value;

pub struct Policy(Json);

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap()
}

impl Policy {
    /// The policy of a component, which its binding puts into force.
    pub fn of(component: &str) -> Self {
        let file = format!("{component}/policy.yaml");
        let policy = object(&file, "MutatingAdmissionPolicy");
        let binding = object(&file, "MutatingAdmissionPolicyBinding");
        assert_eq!(binding["spec"], json!({"policyName": policy["metadata"]["name"]}));
        let spec = &policy["spec"];
        assert_eq!(
            [&spec["failurePolicy"], &spec["reinvocationPolicy"], &spec["matchConstraints"]],
            [
                &json!("Fail"),
                &json!("Never"),
                &json!({
                    "objectSelector": {"matchLabels": {"kubevirt.io": "virt-launcher"}},
                    "resourceRules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                    ],
                }),
            ]
        );
        Self(spec.clone())
    }

    /// The pod after the policy, or the name of what kept the policy from it.
    pub fn admit(&self, pod: &Json) -> Result<Json, String> {
        let labels = self.0["matchConstraints"]["objectSelector"]["matchLabels"].as_object().unwrap();
        if labels.iter().any(|(label, value)| pod["metadata"]["labels"].get(label) != Some(value)) {
            return Err("selector".to_owned());
        }
        for condition in list(&self.0["matchConditions"]) {
            let matched =
                evaluate(of_kubernetes(), text(&condition["expression"]), &[("object", pod)]).unwrap();
            if matched != Value::Bool(true) {
                assert_eq!(matched, Value::Bool(false));
                return Err(text(&condition["name"]).to_owned());
            }
        }
        let mut pod = pod.clone();
        for operation in self.patch(&pod) {
            add(&mut pod, &operation);
        }
        Ok(pod)
    }

    fn patch(&self, pod: &Json) -> Vec<Json> {
        let mut variables = json!({});
        for variable in list(&self.0["variables"]) {
            let value = evaluate(of_kubernetes(), text(&variable["expression"]), &[("object", pod)]).unwrap();
            variables[text(&variable["name"])] = value.json().unwrap();
        }
        let [mutation] = list(&self.0["mutations"]) else { panic!("one mutation") };
        let expression = text(&mutation["jsonPatch"]["expression"]);
        let made =
            evaluate(of_kubernetes(), expression, &[("object", pod), ("variables", &variables)]).unwrap();
        let Value::List(operations) = made else { panic!("not a list: {made:?}") };
        operations.iter().map(operation).collect()
    }
}

/// An operation, whose value has the types of the place it comes to.
fn operation(made: &Value) -> Json {
    let Value::Struct(operation) = made else { panic!("not an operation: {made:?}") };
    assert_eq!(operation.name(), "JSONPatch");
    let field = |name| Value::try_from(operation.field_value(name).unwrap()).unwrap();
    let (op, path) = (field("op").json().unwrap(), field("path").json().unwrap());
    let is_field = |part: &&str| part.parse::<usize>().is_err() && *part != "-";
    let fields: Vec<_> = text(&path).split('/').skip(1).filter(is_field).collect();
    let value = json_of(&field("value"), &format!("Object.{}", fields.join(".")));
    json!({"op": op, "path": path, "value": value})
}

/// As RFC 6902 has it, with no other operation.
fn add(pod: &mut Json, operation: &Json) {
    assert_eq!(operation["op"], "add");
    let (parent, last) = text(&operation["path"]).rsplit_once('/').unwrap();
    let target = pod.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
    match target.as_array_mut() {
        Some(list) => {
            assert_eq!(last, "-");
            list.push(operation["value"].clone());
        }
        None => target[last] = operation["value"].clone(),
    }
}
