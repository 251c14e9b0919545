//! The objects, by their paths.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    discovery::{KINDS, Kind, root},
    failure,
    http::{Answer, Request},
    patch,
};

#[derive(Default)]
pub struct Store {
    pub objects: BTreeMap<String, Value>,
    pub logs: BTreeMap<(String, String), String>,
    pub changes: Vec<(String, String, Value)>,
}

impl Store {
    pub fn get(&self, request: &Request) -> Answer {
        if let Some(object) = self.objects.get(&request.path) {
            return Answer::json(200, object);
        }
        if let Some(pod) = request.path.strip_suffix("/log") {
            let key = (pod.to_owned(), request.query("container").to_owned());
            return self.logs.get(&key).map_or_else(|| absent(request), |text| Answer::text(text));
        }
        collection(&request.path).map_or_else(|| absent(request), |kind| self.list(request, kind))
    }

    fn list(&self, request: &Request, kind: &Kind) -> Answer {
        if request.query("watch") == "true" {
            return Answer::watch();
        }
        let of_collection = self.objects.iter().filter(|(path, _)| {
            path.rsplit_once('/').is_some_and(|(collection, _)| collection == request.path)
        });
        let items: Vec<_> = of_collection
            .map(|(_, object)| object)
            .filter(|object| {
                let field = |name: &str| format!("/{}", name.replace('.', "/"));
                // A label's name may contain dots and slashes.
                selected(request.query("fieldSelector"), |name| object.pointer(&field(name)).cloned())
                    && selected(request.query("labelSelector"), |name| {
                        object["metadata"]["labels"].get(name).cloned()
                    })
            })
            .collect();
        let list = json!({"kind": format!("{}List", kind.name), "apiVersion": kind.api,
            "metadata": {"resourceVersion": "1"}, "items": items});
        Answer::json(200, &list)
    }

    pub fn create(&mut self, request: &Request) -> Answer {
        // Otherwise kubectl would validate itself, with schemas that this server does not have.
        if request.query("fieldValidation") != "Strict" {
            return failure(400, "BadRequest", "who validates?");
        }
        let body = request.body();
        let path = format!("{}/{}", request.path, body["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&path) {
            return failure(409, "AlreadyExists", &path);
        }
        self.changes.push(("POST".to_owned(), path.clone(), body.clone()));
        let answer = Answer::json(201, &body);
        self.objects.insert(path, body);
        answer
    }

    pub fn patch(&mut self, request: &Request) -> Answer {
        let Some(object) = self.objects.get_mut(&request.path) else { return absent(request) };
        let patch = request.body();
        self.changes.push(("PATCH".to_owned(), request.path.clone(), patch.clone()));
        match request.content_type.as_str() {
            "application/merge-patch+json" => patch::merge(object, &patch),
            "application/json-patch+json" => {
                if patch::add(object, &patch).is_none() {
                    return failure(422, "Invalid", "there is no such list");
                }
            }
            other => return failure(415, "UnsupportedMediaType", other),
        }
        Answer::json(200, object)
    }
}

fn absent(request: &Request) -> Answer {
    failure(404, "NotFound", &format!("there is no {}", request.path))
}

/// The kind of a collection, by its path.
fn collection(path: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| {
        let in_api = path.strip_prefix('/').and_then(|path| path.strip_prefix(&root(kind.api)));
        in_api.is_some_and(|rest| rest.rsplit('/').next() == Some(kind.plural))
    })
}

/// Whether `value` matches the selector `a=b,c=d`.
fn selected(selector: &str, value: impl Fn(&str) -> Option<Value>) -> bool {
    let mut terms = selector.split(',').filter_map(|term| term.split_once('='));
    terms.all(|(name, wanted)| value(name).is_some_and(|value| value == wanted))
}
