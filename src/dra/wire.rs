//! The JSON of device metadata: a stream of objects, the same data in several API versions, newest first.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Deserializer, Value};

use crate::attachment::Problem;
use vocabulary::Quoted;

/// The versions that are read; they agree in every field used here.
const KNOWN: [&str; 2] = ["metadata.resource.k8s.io/v1beta1", "metadata.resource.k8s.io/v1alpha1"];

/// How many unknown versions a message names.
const VERSIONS_SHOWN: usize = 5;

/// One device of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    driver: Option<String>,
    pool: Option<String>,
    name: Option<String>,
    attributes: Option<BTreeMap<String, Value>>,
    network_data: Option<NetworkData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkData {
    hardware_address: Option<String>,
}

#[derive(Deserialize)]
struct Request {
    name: String,
    devices: Option<Vec<Device>>,
}

/// The devices of a request from the first object of a known version; `None` if that does not list the request.
pub(super) fn devices(bytes: &[u8], request: &str) -> Result<Option<Vec<Device>>, Problem> {
    if bytes.trim_ascii().is_empty() {
        return Err(Problem::Empty);
    }
    let mut unknown = Vec::new();
    for object in Deserializer::from_slice(bytes).into_iter::<Value>() {
        let mut object = object?;
        let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        if KNOWN.contains(&version) {
            return find(object.get_mut("requests").map(Value::take).unwrap_or_default(), request);
        }
        let version = Quoted(version).to_string();
        if !unknown.contains(&version) && unknown.len() < VERSIONS_SHOWN {
            unknown.push(version);
        }
    }
    Err(Problem::Versions { versions: unknown.join(", "), known: KNOWN.join(", ") })
}

fn find(requests: Value, request: &str) -> Result<Option<Vec<Device>>, Problem> {
    let requests: Option<Vec<Request>> = serde_json::from_value(requests)
        .map_err(|_| field("requests", "is not a list of requests with their devices"))?;
    let own = requests.unwrap_or_default().into_iter().filter(|found| found.name == request);
    let lists: Vec<_> = own.map(|found| found.devices.unwrap_or_default()).collect();
    Ok((!lists.is_empty()).then(|| lists.into_iter().flatten().collect()))
}

impl Device {
    /// Driver, pool and name, as Kubernetes writes a device.
    pub(super) fn title(&self) -> String {
        let title =
            [&self.driver, &self.pool, &self.name].map(|part| part.as_deref().unwrap_or("?")).join("/");
        Quoted(&title).to_string()
    }

    pub(super) fn hardware_address(&self) -> Option<String> {
        self.network_data.as_ref()?.hardware_address.clone().filter(|address| !address.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> Result<String, Problem> {
        let place = format!("attribute {name}");
        match self.attribute(name).map(|value| value.get("string").and_then(Value::as_str)) {
            Some(Some(text)) => Ok(text.to_owned()),
            Some(None) => Err(field(&place, "is not a string")),
            None => Err(field(&place, "is missing")),
        }
    }

    pub(super) fn optional_number(&self, name: &str) -> Result<Option<i64>, Problem> {
        match self.attribute(name).map(|value| value.get("int").and_then(Value::as_i64)) {
            Some(Some(number)) => Ok(Some(number)),
            Some(None) => Err(field(&format!("attribute {name}"), "is not a whole number")),
            None => Ok(None),
        }
    }

    /// Looks up the bare name (the driver's own domain) first, then any domain.
    fn attribute(&self, name: &str) -> Option<&Value> {
        let attributes = self.attributes.as_ref()?;
        let qualified =
            || attributes.iter().find(|(key, _)| key.rsplit_once('/').is_some_and(|(_, id)| id == name));
        attributes.get(name).or_else(|| qualified().map(|(_, value)| value))
    }
}

fn field(place: &str, problem: &'static str) -> Problem {
    Problem::Field { field: place.to_owned(), problem, writer: "the DRA driver" }
}
