//! The CNI plugin against the real switch, called as a runtime calls it: variables, standard input, one answer.
//!
//! ```text
//! call      one call of the binary, and what it answered
//! lab       devices, the switch's tables, and clearing up
//! neighbour  a guest that keeps the switch awake
//! pool      an IPAM plugin, and whom it has given an address
//! proxy     between the plugin and ovsdb-server: counts requests, loses answers
//! ```
//!
//! The rest are cases. Each compares the switch's tables as a whole, with the rows' ids: what is not the plugin's must
//! be the very same row afterwards.

mod call;
mod client;
mod crowd;
mod ipam;
mod lab;
mod life;
mod lost;
mod measure;
mod neighbour;
mod outage;
mod pool;
mod proxy;
mod removal;
mod settings;
mod states;
mod steps;
mod taken;
mod transactions;
mod versions;

use std::process::ExitCode;

use dataplane::suite::{Case, Suite};
use neighbour::Neighbour;

fn main() -> ExitCode {
    Suite {
        name: "cni-on-ovs",
        cases: CASES,
        on_demand: ON_DEMAND,
        guests: false,
        beside: || Ok(Box::new(Neighbour::new()?)),
    }
    .main()
}

/// In the order in which they run.
const CASES: &[Case] = &[
    ("cni_results_have_the_form_of_their_version", versions::cni_results_have_the_form_of_their_version),
    ("cni_calls_that_cannot_be_are_refused", versions::cni_calls_that_cannot_be_are_refused),
    ("cni_commands_on_nothing", states::cni_commands_on_nothing),
    ("cni_commands_twice", states::cni_commands_twice),
    ("cni_check_finds_each_deviation", states::cni_check_finds_each_deviation),
    ("cni_half_done_ports_are_refused_and_removed", states::cni_half_done_ports_are_refused_and_removed),
    ("cni_starts_no_other_program", states::cni_starts_no_other_program),
    ("cni_a_device_has_one_owner", taken::cni_a_device_has_one_owner),
    ("cni_foreign_ports_are_not_taken", taken::cni_foreign_ports_are_not_taken),
    ("cni_an_interface_in_another_port_is_not_taken", taken::cni_an_interface_in_another_port_is_not_taken),
    ("cni_a_missing_bridge_is_told", taken::cni_a_missing_bridge_is_told),
    ("cni_a_bridge_of_the_kernel_is_refused", taken::cni_a_bridge_of_the_kernel_is_refused),
    ("cni_vlans_and_mtu_are_as_asked", settings::cni_vlans_and_mtu_are_as_asked),
    ("cni_limits_are_as_asked_and_go_with_the_port", settings::cni_limits_are_as_asked_and_go_with_the_port),
    ("cni_a_listening_switch_and_its_daemon", client::cni_a_listening_switch_and_its_daemon),
    ("cni_a_listening_switch_without_a_daemon", client::cni_a_listening_switch_without_a_daemon),
    ("cni_the_nads_mode_must_be_the_devices", client::cni_the_nads_mode_must_be_the_devices),
    ("cni_what_ovs_cannot_make_is_told_and_undone", client::cni_what_ovs_cannot_make_is_told_and_undone),
    (
        "cni_the_application_file_says_what_testpmd_needs",
        client::cni_the_application_file_says_what_testpmd_needs,
    ),
    ("cni_addresses_are_taken_once_and_given_back", ipam::cni_addresses_are_taken_once_and_given_back),
    ("cni_without_addresses_there_is_no_port", ipam::cni_without_addresses_there_is_no_port),
    ("cni_addresses_go_back_when_the_port_fails", ipam::cni_addresses_go_back_when_the_port_fails),
    ("cni_host_local_gives_and_takes_addresses", ipam::cni_host_local_gives_and_takes_addresses),
    ("cni_check_finds_each_deviation_of_addresses", ipam::cni_check_finds_each_deviation_of_addresses),
    ("cni_a_del_waits_for_the_add_that_is_under_way", ipam::cni_a_del_waits_for_the_add_that_is_under_way),
    ("cni_a_hung_ipam_plugin_hangs_nobody", ipam::cni_a_hung_ipam_plugin_hangs_nobody),
    ("cni_one_transaction_changes_everything", transactions::cni_one_transaction_changes_everything),
    ("cni_del_after_a_reboot", removal::cni_del_after_a_reboot),
    ("cni_del_with_everything_gone", removal::cni_del_with_everything_gone),
    ("cni_a_late_del_leaves_the_next_owner_alone", removal::cni_a_late_del_leaves_the_next_owner_alone),
    ("cni_a_port_without_a_sandbox_is_taken_over", life::cni_a_port_without_a_sandbox_is_taken_over),
    ("cni_a_lost_del_leaves_the_next_pod_nothing", life::cni_a_lost_del_leaves_the_next_pod_nothing),
    ("cni_what_the_switch_has_lost_comes_back", life::cni_what_the_switch_has_lost_comes_back),
    ("cni_gc_removes_exactly_its_own", removal::cni_gc_removes_exactly_its_own),
    ("cni_an_add_whose_answer_is_lost_leaves_nothing", lost::cni_an_add_whose_answer_is_lost_leaves_nothing),
    ("cni_killed_at_any_step_where_the_guest_listens", steps::cni_killed_at_any_step_where_the_guest_listens),
    (
        "cni_killed_at_any_step_where_the_switch_listens",
        steps::cni_killed_at_any_step_where_the_switch_listens,
    ),
    ("cni_a_hundred_at_once_lose_nothing", crowd::cni_a_hundred_at_once_lose_nothing),
    ("cni_one_of_many_rivals_gets_the_device", crowd::cni_one_of_many_rivals_gets_the_device),
    ("cni_one_of_many_rivals_gets_socket_and_address", crowd::cni_one_of_many_rivals_gets_socket_and_address),
    ("cni_the_same_add_many_times_at_once", crowd::cni_the_same_add_many_times_at_once),
    ("cni_adds_dels_and_gcs_at_once", crowd::cni_adds_dels_and_gcs_at_once),
    ("cni_without_ovsdb_every_command_says_so", outage::cni_without_ovsdb_every_command_says_so),
    ("cni_add_and_del_wait_for_ovsdb", outage::cni_add_and_del_wait_for_ovsdb),
    ("cni_a_hung_ovsdb_hangs_nobody", outage::cni_a_hung_ovsdb_hangs_nobody),
    ("cni_without_vswitchd_nothing_is_left", outage::cni_without_vswitchd_nothing_is_left),
    ("cni_an_ovsdb_that_goes_away_under_an_add", outage::cni_an_ovsdb_that_goes_away_under_an_add),
    ("cni_status_tells_that_no_vswitchd_runs", outage::cni_status_tells_that_no_vswitchd_runs),
    ("cni_status_tells_a_hung_vswitchd", outage::cni_status_tells_a_hung_vswitchd),
];

/// Run only when named.
const ON_DEMAND: &[Case] = &[("measure_cni", measure::measure_cni)];
