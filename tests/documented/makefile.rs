//! The CI runs `make test`, so every target that it consists of has been run.

use std::{collections::BTreeSet, fs};

use crate::pages::{path, spans};

pub const COMMANDS: [&str; 6] =
    ["make demo", "make check", "make unit", "make cni-on-ovs", "make dataplane", "make test"];

/// Run by `images.rs`; what measures, which proves nothing on a shared machine or builds for minutes; and what takes hours.
const OTHERS: [&str; 6] = ["image", "push", "bench", "count", "full", "loaded"];

/// A target and all its dependencies.
fn made_of(makefile: &str, target: &str, found: &mut BTreeSet<String>) {
    found.insert(target.to_owned());
    let rule = makefile.lines().find_map(|line| line.strip_prefix(target)?.strip_prefix(':'));
    let rule = rule.unwrap_or_else(|| panic!("the Makefile has no target {target}"));
    for needed in rule.split("##").next().unwrap().split_whitespace() {
        made_of(makefile, needed, found);
    }
}

fn tested() -> BTreeSet<String> {
    let mut tested = BTreeSet::new();
    made_of(&fs::read_to_string(path("Makefile")).unwrap(), "test", &mut tested);
    tested
}

#[test]
fn the_ci_runs_make_test() {
    let ci = fs::read_to_string(path(".ci/run")).unwrap();
    assert_eq!(ci.lines().last(), Some("exec make test"));
}

#[test]
fn every_target_that_pages_name_is_part_of_make_test() {
    let tested = tested();
    let named = spans("make ").into_iter().chain(COMMANDS.map(str::to_owned));
    for command in named {
        let Some(targets) = command.strip_prefix("make ") else { continue };
        for target in targets.split(' ').filter(|word| !word.contains('=') && !OTHERS.contains(word)) {
            assert!(tested.contains(target), "{command}");
        }
    }
}
