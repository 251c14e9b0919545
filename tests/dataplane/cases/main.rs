//! The whole chain with guests. `src/lib.rs` says what it stands on.

mod application;
mod boot;
mod chain;
mod dashboard;
mod device_plugin;
mod doctor;
mod ending;
mod golden;
mod isolation;
mod measure;
mod memory;
mod migration;
mod networks;
mod observing;
mod outage;
mod plugins;

use std::process::ExitCode;

use dataplane::suite::{Case, Suite};

fn main() -> ExitCode {
    Suite { name: "dataplane", cases: CASES, on_demand: ON_DEMAND, guests: true, beside: || Ok(Box::new(())) }
        .main()
}

/// In the order in which they run.
const CASES: &[Case] = &[
    ("boots_and_both_ends_reach_each_other", boot::boots_and_both_ends_reach_each_other),
    ("both_containers_are_confined", boot::both_containers_are_confined),
    ("libvirt_accepts_the_golden_outputs", golden::libvirt_accepts_the_golden_outputs),
    ("two_nics_reach_their_own_networks_only", networks::two_nics_reach_their_own_networks_only),
    ("queue_pairs_agree_and_jumbo_frames_pass", networks::queue_pairs_agree_and_jumbo_frames_pass),
    ("metrics_and_doctor_tell_what_is", observing::metrics_and_doctor_tell_what_is),
    ("every_panel_of_the_dashboard_shows_something", dashboard::every_panel_of_the_dashboard_shows_something),
    ("doctor_tells_what_is_wrong_with_files", doctor::files::doctor_tells_what_is_wrong_with_files),
    ("doctor_tells_a_root_that_is_not_there", doctor::files::doctor_tells_a_root_that_is_not_there),
    (
        "doctor_tells_what_is_wrong_with_the_switch",
        doctor::switch::doctor_tells_what_is_wrong_with_the_switch,
    ),
    ("doctor_tells_each_broken_port", doctor::ports::doctor_tells_each_broken_port),
    ("doctor_tells_who_waits_for_a_guest", doctor::waiting::doctor_tells_who_waits_for_a_guest),
    ("doctor_tells_who_waits_for_the_switch", doctor::waiting::doctor_tells_who_waits_for_the_switch),
    ("doctor_tells_what_is_wrong_with_a_pod", doctor::pod::doctor_tells_what_is_wrong_with_a_pod),
    ("packets_pass_with_memfd", memory::packets_pass_with_memfd),
    ("packets_pass_with_hugepages", memory::packets_pass_with_hugepages),
    ("packets_pass_with_numa_cells", memory::packets_pass_with_numa_cells),
    ("without_the_memory_edit_no_packet_passes", memory::without_the_memory_edit_no_packet_passes),
    ("ten_migrations_under_traffic", migration::ten_migrations_under_traffic),
    ("migrations_without_hugepages", migration::migrations_without_hugepages),
    ("without_the_link_migration_fails", migration::without_the_link_migration_fails),
    ("a_jumbo_vm_migrates", migration::a_jumbo_vm_migrates),
    ("a_vm_with_an_assigned_pci_address_migrates", migration::a_vm_with_an_assigned_pci_address_migrates),
    (
        "another_plugin_alone_makes_libvirt_refuse_the_vm",
        plugins::another_plugin_alone_makes_libvirt_refuse_the_vm,
    ),
    ("a_vm_migrates_into_a_cluster_with_plugins", plugins::a_vm_migrates_into_a_cluster_with_plugins),
    ("a_vm_boots_and_migrates_with_the_plugin_alone", plugins::a_vm_boots_and_migrates_with_the_plugin_alone),
    ("traffic_resumes_after_a_switch_restart", outage::traffic_resumes_after_a_switch_restart),
    ("traffic_resumes_after_a_switch_crash", outage::traffic_resumes_after_a_switch_crash),
    ("a_client_mode_guest_reconnects", outage::a_client_mode_guest_reconnects),
    ("a_client_mode_guest_reconnects_after_a_crash", outage::a_client_mode_guest_reconnects_after_a_crash),
    ("without_a_switch_port_the_vm_waits", outage::without_a_switch_port_the_vm_waits),
    ("both_pods_of_a_migration_leave_nothing", chain::both_pods_of_a_migration_leave_nothing),
    ("a_dpdk_pod_answers_as_server", application::a_dpdk_pod_answers_as_server),
    ("a_dpdk_pod_answers_as_client", application::a_dpdk_pod_answers_as_client),
    ("nobody_reaches_another_pods_directory", isolation::nobody_reaches_another_pods_directory),
    ("a_link_to_another_pods_socket_leads_nowhere", isolation::a_link_to_another_pods_socket_leads_nowhere),
    ("two_nics_of_one_resource_are_not_swapped", device_plugin::two_nics_of_one_resource_are_not_swapped),
    ("a_killed_plugin_disturbs_no_vm", device_plugin::a_killed_plugin_disturbs_no_vm),
    (
        "a_client_mode_guest_outlasts_plugin_and_switch",
        device_plugin::a_client_mode_guest_outlasts_plugin_and_switch,
    ),
    ("the_next_pod_finds_nothing", device_plugin::the_next_pod_finds_nothing),
    ("devices_follow_the_health_of_their_switch", device_plugin::devices_follow_the_health_of_their_switch),
    ("an_uplinks_numa_node_is_the_devices_hint", device_plugin::an_uplinks_numa_node_is_the_devices_hint),
    (
        "after_guest_power_off_shutdown_ends_the_sidecar",
        ending::after_guest_power_off_shutdown_ends_the_sidecar,
    ),
    (
        "sigterm_does_not_end_the_service_of_a_running_vm",
        ending::sigterm_does_not_end_the_service_of_a_running_vm,
    ),
    ("the_sidecar_follows_a_killed_launcher", ending::the_sidecar_follows_a_killed_launcher),
];

/// Run only when named.
const ON_DEMAND: &[Case] = &[
    ("measure_migration_variants", measure::measure_migration_variants),
    ("measure_switch_outages", measure::measure_switch_outages),
];
