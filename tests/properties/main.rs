//! The promises of the XML path, each as a property over generated VMs and domains.
//!
//! The generators write domains in many hands and with many decoys; an independent parser judges each answer.
//! `PROPTEST_CASES=20000 cargo test --test properties` looks longer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod cut;
mod domain;
mod hostile;
mod judge;
mod linear;
mod markup;
mod sidecar;
mod vm;

use network_vhostuser_binding::define::prepare;
use network_vhostuser_binding::vmi::Vmi;
use proptest::prelude::*;

use domain::{Override, converted, domain};
use launcher_sim::{Machine, Release, boot, placeholders_for, plugin::request_form, render};
use sidecar::Sidecar;
use vm::vm;

proptest! {
    #[test]
    fn an_independent_parser_finds_every_nic_as_planned(vm in vm(), domain in domain()) {
        let xml = domain.xml(&vm);
        let answer = Sidecar::of(&vm).define(&xml)?;
        judge::judge(&vm, &xml, &answer)?;
    }

    #[test]
    fn only_our_own_ranges_differ(vm in vm(), domain in domain()) {
        let xml = domain.xml(&vm);
        let answer = Sidecar::of(&vm).define(&xml)?;
        let (before, after) = (cut::foreign_part(&vm, &xml), cut::foreign_part(&vm, &answer));
        let stale = matches!(domain.overrides, Override::Stale | Override::StaleTwice);
        // A removed element leaves its line, and between blank lines the cut cannot tell which of them is new.
        if stale || domain.hand.newline == "\n\n" {
            prop_assert_eq!(cut::without_space(&before), cut::without_space(&after));
        } else {
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn an_answer_is_its_own_answer(vm in vm(), domain in domain()) {
        let sidecar = Sidecar::of(&vm);
        let answer = sidecar.define(&domain.xml(&vm))?;
        prop_assert_eq!(&sidecar.define(&answer)?, &answer);
    }

    #[test]
    fn every_call_of_a_boot_is_answered_alike(vm in vm(), domain in converted()) {
        for release in Release::ALL {
            let sidecar = Sidecar::of(&vm);
            let machine = Machine::new(release, placeholders_for(vm.order().len()));
            let calls = boot(machine, &domain.xml(&vm), |xml| sidecar.define(xml));
            let calls = calls.map_err(|refused| refused.error)?;
            for call in &calls {
                judge::judge(&vm, &call.given, &call.answer)?;
                prop_assert_eq!(&sidecar.define(&call.answer)?, &call.answer);
            }
        }
    }

    /// KubeVirt's plugin framework sends on what its structs hold of the hook's answer.
    #[test]
    fn the_plugin_framework_gets_the_nics_of_the_hooks_answer(vm in vm(), domain in domain()) {
        let sidecar = Sidecar::of(&vm);
        let answer = sidecar.define(&domain.xml(&vm))?;
        let form = request_form(&answer);
        let mutated = sidecar.define(&form)?;
        judge::judge(&vm, &form, &mutated)?;
        prop_assert_eq!(judge::nics(&vm, &mutated), judge::nics(&vm, &answer));
        // What the next plugin is sent, and at the end libvirt.
        let defined = render(&mutated);
        prop_assert_eq!(judge::nics(&vm, &defined), judge::nics(&vm, &answer));
        prop_assert_eq!(sidecar.define(&defined)?, sidecar.define(&sidecar.define(&defined)?)?);
    }

    #[test]
    fn a_vm_without_nics_of_ours_gets_its_bytes_back(vm in vm(), bytes in any::<Vec<u8>>()) {
        let config = sidecar::config("/hooks".into());
        let vmi = String::from_utf8(vm.json()).unwrap().replace("\"binding\"", "\"unbound\"");
        let vmi = Vmi::parse(vmi.as_bytes()).unwrap();
        prop_assert!(prepare(&vmi, &bytes, &config).unwrap().is_none());
        let absent = String::from_utf8(vm.json()).unwrap().replace("\"state\":\"\"", "\"state\":\"absent\"");
        let absent = absent.replace("\"state\":\"down\"", "\"state\":\"absent\"");
        let vmi = Vmi::parse(absent.as_bytes()).unwrap();
        prop_assert!(prepare(&vmi, &bytes, &config).unwrap().is_none());
    }

    #[test]
    fn links_are_exactly_those_of_the_networks(vm in vm(), domain in converted()) {
        let dir = tempfile::tempdir().unwrap();
        let links = Sidecar::of(&vm).links(&domain.xml(&vm), dir.path())?;
        prop_assert_eq!(links, judge::expected_links(&vm));
    }
}
