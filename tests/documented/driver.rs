//! Runs the commands of the documentation as written: each command in an `sh` block of a page is run by one of these modules.
//! What a reader fills in is a variable, which the tests set.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api_server;
mod dataplane;
mod docker;
mod images;
mod kubectl;
mod makefile;
mod node;
mod pages;
mod plugin;
mod registry;
mod render;

use std::collections::BTreeSet;

#[test]
fn every_command_is_run_and_every_command_that_is_run_is_in_the_pages() {
    let modules: [&[&str]; 7] = [
        &images::COMMANDS,
        &kubectl::COMMANDS,
        &makefile::COMMANDS,
        &node::COMMANDS,
        &plugin::COMMANDS,
        &render::COMMANDS,
        &dataplane::COMMANDS,
    ];
    let run: BTreeSet<String> = modules.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(pages::commands(), run);
}
