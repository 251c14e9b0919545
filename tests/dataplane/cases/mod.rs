//! The tests, in the order in which they run.

mod application;
mod boot;
mod chain;
mod cni;
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

use anyhow::Result;

use crate::node::Stage;

type Case = fn(&mut Stage<'_>) -> Result<()>;

pub(crate) const CASES: &[(&str, Case)] = &[
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
    ("cni_results_have_the_form_of_their_version", cni::versions::cni_results_have_the_form_of_their_version),
    ("cni_calls_that_cannot_be_are_refused", cni::versions::cni_calls_that_cannot_be_are_refused),
    ("cni_commands_on_nothing", cni::states::cni_commands_on_nothing),
    ("cni_commands_twice", cni::states::cni_commands_twice),
    ("cni_check_finds_each_deviation", cni::states::cni_check_finds_each_deviation),
    ("cni_half_done_ports_are_refused_and_removed", cni::states::cni_half_done_ports_are_refused_and_removed),
    ("cni_starts_no_other_program", cni::states::cni_starts_no_other_program),
    ("cni_a_device_has_one_owner", cni::taken::cni_a_device_has_one_owner),
    ("cni_foreign_ports_are_not_taken", cni::taken::cni_foreign_ports_are_not_taken),
    (
        "cni_an_interface_in_another_port_is_not_taken",
        cni::taken::cni_an_interface_in_another_port_is_not_taken,
    ),
    ("cni_a_missing_bridge_is_told", cni::taken::cni_a_missing_bridge_is_told),
    ("cni_a_bridge_of_the_kernel_is_refused", cni::taken::cni_a_bridge_of_the_kernel_is_refused),
    ("cni_vlans_and_mtu_are_as_asked", cni::settings::cni_vlans_and_mtu_are_as_asked),
    (
        "cni_limits_are_as_asked_and_go_with_the_port",
        cni::settings::cni_limits_are_as_asked_and_go_with_the_port,
    ),
    ("cni_a_listening_switch_and_its_daemon", cni::client::cni_a_listening_switch_and_its_daemon),
    ("cni_a_listening_switch_without_a_daemon", cni::client::cni_a_listening_switch_without_a_daemon),
    ("cni_the_nads_mode_must_be_the_devices", cni::client::cni_the_nads_mode_must_be_the_devices),
    ("cni_what_ovs_cannot_make_is_told_and_undone", cni::client::cni_what_ovs_cannot_make_is_told_and_undone),
    (
        "cni_the_application_file_says_what_testpmd_needs",
        cni::client::cni_the_application_file_says_what_testpmd_needs,
    ),
    ("cni_addresses_are_taken_once_and_given_back", cni::ipam::cni_addresses_are_taken_once_and_given_back),
    ("cni_without_addresses_there_is_no_port", cni::ipam::cni_without_addresses_there_is_no_port),
    ("cni_addresses_go_back_when_the_port_fails", cni::ipam::cni_addresses_go_back_when_the_port_fails),
    ("cni_host_local_gives_and_takes_addresses", cni::ipam::cni_host_local_gives_and_takes_addresses),
    ("cni_check_finds_each_deviation_of_addresses", cni::ipam::cni_check_finds_each_deviation_of_addresses),
    (
        "cni_a_del_waits_for_the_add_that_is_under_way",
        cni::ipam::cni_a_del_waits_for_the_add_that_is_under_way,
    ),
    ("cni_a_hung_ipam_plugin_hangs_nobody", cni::ipam::cni_a_hung_ipam_plugin_hangs_nobody),
    ("cni_one_transaction_changes_everything", cni::transactions::cni_one_transaction_changes_everything),
    ("cni_del_after_a_reboot", cni::removal::cni_del_after_a_reboot),
    ("cni_del_with_everything_gone", cni::removal::cni_del_with_everything_gone),
    ("cni_a_late_del_leaves_the_next_owner_alone", cni::removal::cni_a_late_del_leaves_the_next_owner_alone),
    ("cni_gc_removes_exactly_its_own", cni::removal::cni_gc_removes_exactly_its_own),
    ("cni_a_killed_add_can_be_repeated_or_undone", cni::crash::cni_a_killed_add_can_be_repeated_or_undone),
    ("cni_a_killed_del_or_gc_can_be_repeated", cni::crash::cni_a_killed_del_or_gc_can_be_repeated),
    (
        "cni_an_add_whose_answer_is_lost_leaves_nothing",
        cni::crash::cni_an_add_whose_answer_is_lost_leaves_nothing,
    ),
    (
        "cni_killed_at_any_step_where_the_guest_listens",
        cni::steps::cni_killed_at_any_step_where_the_guest_listens,
    ),
    (
        "cni_killed_at_any_step_where_the_switch_listens",
        cni::steps::cni_killed_at_any_step_where_the_switch_listens,
    ),
    ("cni_a_hundred_at_once_lose_nothing", cni::crowd::cni_a_hundred_at_once_lose_nothing),
    ("cni_one_of_many_rivals_gets_the_device", cni::crowd::cni_one_of_many_rivals_gets_the_device),
    (
        "cni_one_of_many_rivals_gets_socket_and_address",
        cni::crowd::cni_one_of_many_rivals_gets_socket_and_address,
    ),
    ("cni_the_same_add_many_times_at_once", cni::crowd::cni_the_same_add_many_times_at_once),
    ("cni_adds_dels_and_gcs_at_once", cni::crowd::cni_adds_dels_and_gcs_at_once),
    ("cni_without_ovsdb_every_command_says_so", cni::outage::cni_without_ovsdb_every_command_says_so),
    ("cni_a_hung_ovsdb_hangs_nobody", cni::outage::cni_a_hung_ovsdb_hangs_nobody),
    ("cni_without_vswitchd_nothing_is_left", cni::outage::cni_without_vswitchd_nothing_is_left),
    ("cni_an_ovsdb_that_goes_away_under_an_add", cni::outage::cni_an_ovsdb_that_goes_away_under_an_add),
    ("cni_status_tells_that_no_vswitchd_runs", cni::outage::cni_status_tells_that_no_vswitchd_runs),
    ("cni_status_tells_a_hung_vswitchd", cni::outage::cni_status_tells_a_hung_vswitchd),
];

/// Run only when named.
pub(crate) const ON_DEMAND: &[(&str, Case)] = &[
    ("measure_migration_variants", measure::measure_migration_variants),
    ("measure_switch_outages", measure::measure_switch_outages),
    ("measure_cni", cni::measure::measure_cni),
];
