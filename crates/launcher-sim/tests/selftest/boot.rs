//! How many calls, and what each is given.

use crate::DOMAIN;
use launcher_sim::Machine;
use launcher_sim::{Exchange, Refused, Release, boot, migration_target, reduce};
use launcher_sim::{assign_pci_addresses, with_placeholders, with_root_ports, with_unaliased_placeholders};

/// Refused by nothing; marks the answer in a way that survives `reduce`.
fn mark(given: &str) -> Result<String, String> {
    Ok(given.replacen("<mtu size=\"1450\">", "<mtu size=\"1450\" lost=\"\">", 1))
}

fn inputs(machine: Machine) -> Vec<String> {
    let calls = boot(machine, DOMAIN, mark).expect("nothing refuses");
    calls.into_iter().map(|call| call.given).collect()
}

#[test]
fn up_to_1_5_the_second_call_is_the_last() {
    let first = with_unaliased_placeholders(DOMAIN, 2);
    assert_eq!(inputs(Machine::new(Release::V1_5, 2)), [first, DOMAIN.to_owned()]);
    assert_eq!(inputs(Machine::new(Release::V1_5, 0)), [DOMAIN]);
}

#[test]
fn later_releases_send_the_answer_back_cut_down() {
    let first = with_unaliased_placeholders(DOMAIN, 2);
    let last = with_root_ports(&reduce(DOMAIN), 2);
    assert_eq!(inputs(Machine::new(Release::V1_8, 2)), [first, DOMAIN.to_owned(), last.clone()]);
    assert_eq!(inputs(Machine::new(Release::V1_8, 0)), [DOMAIN.to_owned(), last]);
}

#[test]
fn main_sends_it_back_with_addresses() {
    let first = with_placeholders(DOMAIN, 2);
    let last = with_root_ports(&assign_pci_addresses(&reduce(DOMAIN)), 2);
    assert_eq!(inputs(Machine::new(Release::Main, 2)), [first, DOMAIN.to_owned(), last.clone()]);
    assert_eq!(inputs(Machine::new(Release::Main, 0)), [DOMAIN.to_owned(), last]);
}

#[test]
fn without_hotplug_there_is_one_call() {
    for release in Release::ALL {
        assert_eq!(inputs(Machine::without_hotplug(release)), [DOMAIN]);
    }
}

#[test]
fn a_refusal_in_the_second_call_leaves_the_first_ones_domain() {
    let mut answers = [Ok("<domain/>".to_owned()), Err("no")].into_iter();
    let outcome = boot(Machine::new(Release::V1_8, 2), DOMAIN, |_| answers.next().expect("two calls"));
    let Err(Refused { error, calls }) = outcome else { panic!("the second call refuses") };
    let given = with_unaliased_placeholders(DOMAIN, 2);
    assert_eq!((error, calls), ("no", vec![Exchange { given, answer: "<domain/>".to_owned() }]));
}

#[test]
#[should_panic(expected = "KubeVirt cannot parse the answer")]
fn the_last_answer_is_parsed_as_well() {
    let _ = boot(Machine::without_hotplug(Release::Main), DOMAIN, |_| Ok::<_, String>(String::new()));
}

#[test]
fn a_migration_target_keeps_the_error_and_drops_the_answer() {
    let mut given = String::new();
    let outcome = migration_target(DOMAIN, |xml| {
        xml.clone_into(&mut given);
        mark(xml)
    });
    assert_eq!((outcome, given.as_str()), (Ok(()), DOMAIN));
    assert_eq!(migration_target(DOMAIN, |_| Err("no")), Err("no"));
}
