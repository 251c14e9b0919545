use super::*;

/// Names and labels are what dashboards and alerts are made of.
const ALL: &str = r#"# HELP vhostuser_device_plugin_build The running version.
# TYPE vhostuser_device_plugin_build info
vhostuser_device_plugin_build_info{version="VERSION"} 1
# HELP vhostuser_device_plugin_devices Devices as reported to the kubelet.
# TYPE vhostuser_device_plugin_devices gauge
vhostuser_device_plugin_devices{resource="a/b",health="healthy"} 7
vhostuser_device_plugin_devices{resource="a/b",health="unhealthy"} 1
# HELP vhostuser_device_plugin_devices_allocated Devices in use by pods.
# TYPE vhostuser_device_plugin_devices_allocated gauge
vhostuser_device_plugin_devices_allocated{resource="a/b"} 3
# HELP vhostuser_device_plugin_allocations Successful Allocate calls, by container.
# TYPE vhostuser_device_plugin_allocations counter
vhostuser_device_plugin_allocations_total{resource="a/b"} 2
# HELP vhostuser_device_plugin_allocation_errors Failed Allocate calls.
# TYPE vhostuser_device_plugin_allocation_errors counter
vhostuser_device_plugin_allocation_errors_total{resource="a/b"} 1
# HELP vhostuser_device_plugin_registrations Registrations accepted by the kubelet.
# TYPE vhostuser_device_plugin_registrations counter
vhostuser_device_plugin_registrations_total{resource="a/b"} 1
# HELP vhostuser_device_plugin_registration_errors Failed attempts to register.
# TYPE vhostuser_device_plugin_registration_errors counter
vhostuser_device_plugin_registration_errors_total{resource="a/b"} 0
# HELP vhostuser_device_plugin_sockets_placed Switch sockets moved to their pod's directory.
# TYPE vhostuser_device_plugin_sockets_placed counter
vhostuser_device_plugin_sockets_placed_total 1
# HELP vhostuser_device_plugin_directories_cleared Directories with leftovers of a previous pod.
# TYPE vhostuser_device_plugin_directories_cleared counter
vhostuser_device_plugin_directories_cleared_total 1
# HELP vhostuser_device_plugin_switch_up 1 for a switch that can take ports.
# TYPE vhostuser_device_plugin_switch_up gauge
vhostuser_device_plugin_switch_up{switch="ovs"} 0
# EOF
"#;

#[test]
fn the_text_is_frozen() {
    let metrics = Metrics::new(None);
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
    assert_eq!(metrics.text(), ALL.replace("VERSION", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_resource_counts_from_0() {
    let metrics = Metrics::new(None);
    assert!(!metrics.text().contains("a/b"));
    metrics.resource("a/b");
    let text = metrics.text();
    let values: Vec<_> = text.lines().filter(|line| line.contains("a/b")).collect();
    assert_eq!(values.len(), 7);
    assert!(values.iter().all(|line| line.ends_with(" 0")), "{values:?}");

    metrics.in_use("a/b", 2);
    metrics.resource("a/b");
    let line = "vhostuser_device_plugin_devices_allocated{resource=\"a/b\"} 2\n";
    assert!(metrics.text().contains(line), "what is counted already stays");
}
