//! What is counted, and how Prometheus reads it (OpenMetrics text).

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};

use super::port_metrics::PortMetrics;

/// The beginning of every name here.
const PREFIX: &str = "vhostuser_device_plugin";

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The values of the label `health`.
const HEALTH: [&str; 2] = ["healthy", "unhealthy"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResource {
    resource: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByHealth {
    resource: String,
    health: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySwitch {
    switch: String,
}

/// All metrics of this process. Clones share the values.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    values: Values,
    ports: Option<Arc<PortMetrics>>,
}

#[derive(Debug, Clone, Default)]
struct Values {
    devices: Family<ByHealth, Gauge>,
    devices_allocated: Family<ByResource, Gauge>,
    allocations: Family<ByResource, Counter>,
    allocation_errors: Family<ByResource, Counter>,
    registrations: Family<ByResource, Counter>,
    registration_errors: Family<ByResource, Counter>,
    sockets_placed: Counter,
    directories_cleared: Counter,
    switch_up: Family<BySwitch, Gauge>,
}

impl Metrics {
    /// All at their beginning. `others` are asked in addition each time the text is made; their names have no prefix.
    pub(crate) fn new(others: Vec<Box<dyn Collector>>) -> Self {
        let values = Values::default();
        let mut registry = Registry::default();
        values.register(registry.sub_registry_with_prefix(PREFIX));
        others.into_iter().for_each(|other| registry.register_collector(other));
        Self { registry: Arc::new(registry), values, ports: None }
    }

    /// The same with the switches' ports.
    pub(crate) fn with_ports(ports: PortMetrics) -> Self {
        let ports = Arc::new(ports);
        let metrics = Self::new(vec![Box::new(SharedPorts(Arc::clone(&ports)))]);
        Self { ports: Some(ports), ..metrics }
    }

    /// The text that Prometheus reads, with the ports as they are now.
    pub(crate) async fn fresh_text(&self) -> Result<String, fmt::Error> {
        if let Some(ports) = &self.ports {
            ports.refresh().await;
        }
        self.text()
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// This resource exists: what is not counted yet is there, with 0.
    pub(crate) fn resource(&self, resource: &str) {
        let Values { allocations, allocation_errors, registrations, registration_errors, .. } = &self.values;
        for counter in [allocations, allocation_errors, registrations, registration_errors] {
            drop(counter.get_or_create(&by_resource(resource)));
        }
        for health in HEALTH {
            drop(self.values.devices.get_or_create(&by_health(resource, health)));
        }
        drop(self.values.devices_allocated.get_or_create(&by_resource(resource)));
    }

    /// So many devices the kubelet is told of.
    pub(crate) fn devices(&self, resource: &str, healthy: usize, unhealthy: usize) {
        for (health, count) in HEALTH.into_iter().zip([healthy, unhealthy]) {
            self.values.devices.get_or_create(&by_health(resource, health)).set(gauge(count));
        }
    }

    /// So many devices are in use by pods.
    pub(crate) fn in_use(&self, resource: &str, devices: usize) {
        self.values.devices_allocated.get_or_create(&by_resource(resource)).set(gauge(devices));
    }

    /// A container was given devices.
    pub(crate) fn allocated(&self, resource: &str) {
        self.values.allocations.get_or_create(&by_resource(resource)).inc();
    }

    /// A container was not given what the kubelet asked for.
    pub(crate) fn allocation_failed(&self, resource: &str) {
        self.values.allocation_errors.get_or_create(&by_resource(resource)).inc();
    }

    /// The kubelet took a registration.
    pub(crate) fn registered(&self, resource: &str) {
        self.values.registrations.get_or_create(&by_resource(resource)).inc();
    }

    /// The kubelet did not.
    pub(crate) fn registration_failed(&self, resource: &str) {
        self.values.registration_errors.get_or_create(&by_resource(resource)).inc();
    }

    /// A switch's socket was put into its pod's directory.
    pub(crate) fn socket_placed(&self) {
        self.values.sockets_placed.inc();
    }

    /// What an earlier pod left was removed from a directory.
    pub(crate) fn directory_cleared(&self) {
        self.values.directories_cleared.inc();
    }

    /// Whether a switch is there.
    pub(crate) fn switch_up(&self, switch: &str, up: bool) {
        let labels = BySwitch { switch: switch.to_owned() };
        self.values.switch_up.get_or_create(&labels).set(i64::from(up));
    }
}

impl Values {
    fn register(&self, registry: &mut Registry) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version that runs", build);
        registry.register("devices", "Devices as told to the kubelet", self.devices.clone());
        let allocated = self.devices_allocated.clone();
        registry.register("devices_allocated", "Devices in use by pods", allocated);
        registry.register("allocations", "Containers given devices", self.allocations.clone());
        let errors = self.allocation_errors.clone();
        registry.register("allocation_errors", "Containers refused devices", errors);
        let registrations = self.registrations.clone();
        registry.register("registrations", "Registrations taken by the kubelet", registrations);
        let errors = self.registration_errors.clone();
        registry.register("registration_errors", "Attempts to register that failed", errors);
        let placed = self.sockets_placed.clone();
        registry.register("sockets_placed", "Sockets of a switch put into a pod's directory", placed);
        let cleared = self.directories_cleared.clone();
        registry.register("directories_cleared", "Directories emptied of what an earlier pod left", cleared);
        registry.register("switch_up", "1 for a switch that is there", self.switch_up.clone());
    }
}

#[derive(Debug)]
struct SharedPorts(Arc<PortMetrics>);

impl Collector for SharedPorts {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

fn by_health(resource: &str, health: &'static str) -> ByHealth {
    ByHealth { resource: resource.to_owned(), health }
}

fn by_resource(resource: &str) -> ByResource {
    ByResource { resource: resource.to_owned() }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::EncodeMetric, metrics::gauge::ConstGauge};

    use super::*;

    /// Names and labels are what dashboards and alerts are made of.
    const ALL: &str = r#"# HELP ports Another's
# TYPE ports gauge
ports 5
# HELP vhostuser_device_plugin_build The version that runs.
# TYPE vhostuser_device_plugin_build info
vhostuser_device_plugin_build_info{version="VERSION"} 1
# HELP vhostuser_device_plugin_devices Devices as told to the kubelet.
# TYPE vhostuser_device_plugin_devices gauge
vhostuser_device_plugin_devices{resource="a/b",health="healthy"} 7
vhostuser_device_plugin_devices{resource="a/b",health="unhealthy"} 1
# HELP vhostuser_device_plugin_devices_allocated Devices in use by pods.
# TYPE vhostuser_device_plugin_devices_allocated gauge
vhostuser_device_plugin_devices_allocated{resource="a/b"} 3
# HELP vhostuser_device_plugin_allocations Containers given devices.
# TYPE vhostuser_device_plugin_allocations counter
vhostuser_device_plugin_allocations_total{resource="a/b"} 2
# HELP vhostuser_device_plugin_allocation_errors Containers refused devices.
# TYPE vhostuser_device_plugin_allocation_errors counter
vhostuser_device_plugin_allocation_errors_total{resource="a/b"} 1
# HELP vhostuser_device_plugin_registrations Registrations taken by the kubelet.
# TYPE vhostuser_device_plugin_registrations counter
vhostuser_device_plugin_registrations_total{resource="a/b"} 1
# HELP vhostuser_device_plugin_registration_errors Attempts to register that failed.
# TYPE vhostuser_device_plugin_registration_errors counter
vhostuser_device_plugin_registration_errors_total{resource="a/b"} 0
# HELP vhostuser_device_plugin_sockets_placed Sockets of a switch put into a pod's directory.
# TYPE vhostuser_device_plugin_sockets_placed counter
vhostuser_device_plugin_sockets_placed_total 1
# HELP vhostuser_device_plugin_directories_cleared Directories emptied of what an earlier pod left.
# TYPE vhostuser_device_plugin_directories_cleared counter
vhostuser_device_plugin_directories_cleared_total 1
# HELP vhostuser_device_plugin_switch_up 1 for a switch that is there.
# TYPE vhostuser_device_plugin_switch_up gauge
vhostuser_device_plugin_switch_up{switch="ovs"} 0
# EOF
"#;

    #[derive(Debug)]
    struct Ports;

    impl Collector for Ports {
        fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
            let ports = ConstGauge::new(5_i64);
            ports.encode(encoder.encode_descriptor("ports", "Another's", None, ports.metric_type())?)
        }
    }

    #[test]
    fn the_text_is_frozen() {
        let metrics = Metrics::new(vec![Box::new(Ports)]);
        let clone = metrics.clone();
        clone.resource("a/b");
        clone.devices("a/b", 7, 1);
        clone.in_use("a/b", 3);
        clone.allocated("a/b");
        clone.allocated("a/b");
        clone.allocation_failed("a/b");
        clone.registered("a/b");
        clone.socket_placed();
        clone.directory_cleared();
        clone.switch_up("ovs", true);
        clone.switch_up("ovs", false);
        assert_eq!(in_order(&metrics.text().unwrap()), ALL.replace("VERSION", env!("CARGO_PKG_VERSION")));
    }

    /// A family's members have no order of their own.
    fn in_order(text: &str) -> String {
        let mut lines: Vec<_> = text.lines().collect();
        lines.chunk_by_mut(|a, b| a.starts_with('#') == b.starts_with('#')).for_each(|chunk| {
            if !chunk[0].starts_with('#') {
                chunk.sort_unstable();
            }
        });
        lines.join("\n") + "\n"
    }

    #[test]
    fn a_resource_counts_from_0() {
        let metrics = Metrics::new(Vec::new());
        assert!(!metrics.text().unwrap().contains("a/b"));
        metrics.resource("a/b");
        let text = metrics.text().unwrap();
        let values: Vec<_> = text.lines().filter(|line| line.contains("a/b")).collect();
        assert_eq!(values.len(), 7);
        assert!(values.iter().all(|line| line.ends_with(" 0")), "{values:?}");

        metrics.in_use("a/b", 2);
        metrics.resource("a/b");
        let line = "vhostuser_device_plugin_devices_allocated{resource=\"a/b\"} 2\n";
        assert!(metrics.text().unwrap().contains(line), "what is counted already stays");
    }
}
