//! CEL as virt-launcher has it, and as the API server has it for a MutatingAdmissionPolicy.

use std::{collections::BTreeMap, sync::Arc};

use cel::{
    Context, Env, ExecutionError, StructType, Value,
    common::{
        types::{CelStruct, Type},
        value::{CowVal, Val},
    },
    extractors::This,
};
use serde_json::json;

type Json = serde_json::Value;

/// What a text evaluates to with these variables.
pub fn evaluate(env: Env, text: &str, variables: &[(&str, &Json)]) -> Result<Value, ExecutionError> {
    let program = env.compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut context = Context::with_env(Arc::new(env));
    // Of Kubernetes' own list library.
    let index_of = |This(list): This<Arc<Vec<Value>>>, item: Value| -> i64 {
        list.iter().position(|of_list| *of_list == item).map_or(-1, |at| i64::try_from(at).unwrap())
    };
    context.add_function("indexOf", index_of).unwrap();
    for (name, value) in variables {
        context.add_variable(*name, *value).unwrap();
    }
    program.execute(&context)
}

/// The fields that the policies use, by the type's name: a field of Kubernetes' pods under its path.
const TYPES: [(&str, &[&str]); 9] = [
    ("JSONPatch", &["op", "path", "value"]),
    ("Object.spec.containers.volumeMounts", MOUNT),
    (
        "Object.spec.initContainers",
        &["name", "image", "restartPolicy", "env", "resources", "securityContext", "volumeMounts"],
    ),
    ("Object.spec.initContainers.env", &["name", "value"]),
    ("Object.spec.initContainers.resources", &["requests", "limits"]),
    (
        "Object.spec.initContainers.securityContext",
        &[
            "runAsUser",
            "runAsGroup",
            "runAsNonRoot",
            "allowPrivilegeEscalation",
            "readOnlyRootFilesystem",
            "capabilities",
            "seccompProfile",
        ],
    ),
    ("Object.spec.initContainers.securityContext.capabilities", &["drop"]),
    ("Object.spec.initContainers.securityContext.seccompProfile", &["type"]),
    ("Object.spec.initContainers.volumeMounts", MOUNT),
];
const MOUNT: &[&str] = &["name", "mountPath", "subPath"];

/// Kubernetes' types do not look at the values of fields either.
struct Constructor {
    name: Type,
    fields: &'static [&'static str],
}

impl StructType for Constructor {
    fn get_type(&self) -> &Type {
        &self.name
    }

    fn new_value<'v>(
        &self,
        fields: BTreeMap<String, CowVal<'_, 'v>>,
    ) -> Result<Box<dyn Val + 'v>, ExecutionError> {
        let mut made = CelStruct::new(self.name.name().to_owned());
        for (field, value) in fields {
            if !self.fields.contains(&field.as_str()) {
                return Err(ExecutionError::NoSuchKey(Arc::new(field)));
            }
            made.add_field_value(field, value);
        }
        Ok(Box::new(made))
    }
}

pub fn of_kubernetes() -> Env {
    let mut env = Env::stdlib();
    for (name, fields) in TYPES {
        env.add_type(Constructor { name: Type::new_struct(name.to_owned()), fields }).unwrap();
    }
    env
}

/// The value as JSON. Kubernetes wants the types' names to be the fields' paths.
pub fn json_of(value: &Value, path: &str) -> Json {
    match value {
        Value::List(items) => items.iter().map(|item| json_of(item, path)).collect(),
        Value::Struct(made) => {
            assert_eq!(made.name(), path);
            let fields = made.field_values().into_iter().map(|(field, value)| {
                let value = Value::try_from(value.as_ref()).unwrap();
                let json = json_of(&value, &format!("{path}.{field}"));
                (field, json)
            });
            Json::Object(fields.collect())
        }
        other => other.json().unwrap(),
    }
}

#[test]
fn a_field_that_pods_do_not_have_is_refused() {
    let text = r#"Object.spec.initContainers.env{name: "a", values: "b"}"#;
    let refused = evaluate(of_kubernetes(), text, &[]);
    assert_eq!(refused, Err(ExecutionError::NoSuchKey(Arc::new("values".to_owned()))));
}

#[test]
fn index_of_is_that_of_kubernetes() {
    let names = json!(["a", "b"]);
    for (name, index) in [("a", 0), ("b", 1), ("c", -1)] {
        let text = format!("names.indexOf({name:?})");
        assert_eq!(evaluate(of_kubernetes(), &text, &[("names", &names)]), Ok(Value::Int(index)));
    }
}
