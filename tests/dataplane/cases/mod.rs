//! The tests, in the order in which they run.

mod boot;
mod ending;
mod golden;
mod measure;
mod memory;
mod migration;
mod networks;
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
    ("without_a_switch_port_the_vm_waits", outage::without_a_switch_port_the_vm_waits),
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
pub(crate) const ON_DEMAND: &[(&str, Case)] = &[
    ("measure_migration_variants", measure::measure_migration_variants),
    ("measure_switch_outages", measure::measure_switch_outages),
];
