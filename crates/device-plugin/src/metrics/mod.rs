//! What is counted, and how Prometheus reads it.

pub(crate) mod ports;
mod text;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ports::PortMetrics;
pub(crate) use text::CONTENT_TYPE;
use text::{
    Kind::{self, Counter, Gauge},
    Text,
};

/// The values of the label `health`.
const HEALTH: [&str; 2] = ["healthy", "unhealthy"];

type Labels = &'static [&'static str];
const NONE: Labels = &[];
const RESOURCE: Labels = &["resource"];

/// Name, kind, help and labels, in the order of the text.
const FAMILIES: [(&str, Kind, &str, Labels); 9] = [
    ("devices", Gauge, "Devices as reported to the kubelet", &["resource", "health"]),
    ("devices_allocated", Gauge, "Devices in use by pods", RESOURCE),
    ("allocations", Counter, "Successful Allocate calls, by container", RESOURCE),
    ("allocation_errors", Counter, "Failed Allocate calls", RESOURCE),
    ("registrations", Counter, "Registrations accepted by the kubelet", RESOURCE),
    ("registration_errors", Counter, "Failed attempts to register", RESOURCE),
    ("sockets_placed", Counter, "Switch sockets moved to their pod's directory", NONE),
    ("directories_cleared", Counter, "Directories with leftovers of a previous pod", NONE),
    ("switch_up", Gauge, "1 for a switch that can take ports", &["switch"]),
];

/// By family and values of its labels.
type Values = BTreeMap<(&'static str, Vec<String>), usize>;

/// All metrics of this process. Clones share the values.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    values: Arc<Mutex<Values>>,
    ports: Option<Arc<PortMetrics>>,
}

impl Metrics {
    /// `ports` are asked each time the text is made.
    pub(crate) fn new(ports: Option<PortMetrics>) -> Self {
        let metrics = Self { values: Arc::default(), ports: ports.map(Arc::new) };
        metrics.add("sockets_placed", &[], 0);
        metrics.add("directories_cleared", &[], 0);
        metrics
    }

    /// The text with the ports as they are now.
    pub(crate) async fn fresh_text(&self) -> String {
        if let Some(ports) = &self.ports {
            ports.refresh().await;
        }
        self.text()
    }

    pub(crate) fn text(&self) -> String {
        let mut text = Text::default();
        text.family("vhostuser_device_plugin_build", Kind::Info, "The running version");
        text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, kind, help, labels) in FAMILIES {
            text.family(&format!("vhostuser_device_plugin_{name}"), kind, help);
            for ((_, values), value) in values.iter().filter(|((of, _), _)| *of == name) {
                let labels: Vec<_> = labels.iter().copied().zip(values).collect();
                text.sample(&labels, value);
            }
        }
        if let Some(ports) = &self.ports {
            ports.write(&mut text);
        }
        text.end()
    }

    /// This resource exists: what is not counted yet is there, with 0.
    pub(crate) fn resource(&self, resource: &str) {
        for (family, _, _, labels) in FAMILIES {
            if labels == RESOURCE {
                self.add(family, &[resource], 0);
            }
        }
        HEALTH.iter().for_each(|health| self.add("devices", &[resource, health], 0));
    }

    /// Devices as reported to the kubelet.
    pub(crate) fn devices(&self, resource: &str, healthy: usize, unhealthy: usize) {
        self.set("devices", &[resource, HEALTH[0]], healthy);
        self.set("devices", &[resource, HEALTH[1]], unhealthy);
    }

    /// Devices in use by pods.
    pub(crate) fn in_use(&self, resource: &str, devices: usize) {
        self.set("devices_allocated", &[resource], devices);
    }

    pub(crate) fn allocated(&self, resource: &str) {
        self.add("allocations", &[resource], 1);
    }

    pub(crate) fn allocation_failed(&self, resource: &str) {
        self.add("allocation_errors", &[resource], 1);
    }

    pub(crate) fn registered(&self, resource: &str) {
        self.add("registrations", &[resource], 1);
    }

    pub(crate) fn registration_failed(&self, resource: &str) {
        self.add("registration_errors", &[resource], 1);
    }

    pub(crate) fn socket_placed(&self) {
        self.add("sockets_placed", &[], 1);
    }

    pub(crate) fn directory_cleared(&self) {
        self.add("directories_cleared", &[], 1);
    }

    pub(crate) fn switch_up(&self, switch: &str, up: bool) {
        self.set("switch_up", &[switch], usize::from(up));
    }

    fn set(&self, family: &'static str, labels: &[&str], value: usize) {
        self.change(family, labels, |known| *known = value);
    }

    fn add(&self, family: &'static str, labels: &[&str], more: usize) {
        self.change(family, labels, |known| *known += more);
    }

    fn change(&self, family: &'static str, labels: &[&str], change: impl FnOnce(&mut usize)) {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        change(values.entry((family, labels)).or_default());
    }
}

#[cfg(test)]
mod tests;
