//! The CNI plugin as a program: what is so whatever the switch says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

fn plugin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vhostuser"));
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_runtime_that_never_ends_its_input_gets_an_answer() {
    let started = Instant::now();
    let mut child = plugin().env("CNI_COMMAND", "VERSION").stdin(Stdio::piped()).spawn().unwrap();
    let _open = child.stdin.take().unwrap();
    let output = child.wait_with_output().unwrap();
    let took = started.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(15)).contains(&took), "{took:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let msg = "standard input: cannot be read: did not end within 10s";
    assert_eq!(answer, json!({ "cniVersion": "1.1.0", "code": 5, "msg": msg }));
    assert_eq!((output.status.code(), output.stderr), (Some(1), Vec::new()));
}

#[test]
fn called_by_hand_it_says_what_it_is() {
    let version = plugin().arg("--version").stdin(Stdio::inherit()).output().unwrap();
    assert_eq!(version.stdout, format!("vhostuser {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    assert!(version.status.success());
    let output = plugin().stdin(Stdio::piped()).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let msg = "environment: CNI_COMMAND: is missing: this program is called by a container runtime";
    assert_eq!(answer, json!({ "cniVersion": "1.1.0", "code": 4, "msg": msg }));
}
