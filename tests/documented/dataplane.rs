//! A part of the dataplane test, selected by name.

use std::process::Command;

use crate::pages::path;

pub const COMMANDS: [&str; 1] = [A_PART];

const A_PART: &str = "cargo test --test dataplane -- cni_commands";

#[test]
fn the_dataplane_test_runs_those_that_are_named() {
    let mut bash = Command::new("timeout");
    let output = bash.args(["900", "bash", "-euc", A_PART]).current_dir(path("")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let passed: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("ok   cni_")).collect();
    let names: Vec<_> = passed.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["commands_on_nothing", "commands_twice"], "{said}");
}
