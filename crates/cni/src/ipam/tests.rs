use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::*;
use crate::{environment::Environment, version::Version};

/// Calls a plugin that is this shell script.
fn call(script: &str, timeout: Duration, act: impl FnOnce(&Ipam<'_>, &Clock)) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("addr");
    write_program(&program, &format!("#!/bin/sh\n{script}"));
    let path = format!("/nonexistent:{}", dir.path().display());
    with_path(&path, |call, network| {
        act(&Ipam::find(call, network).unwrap().unwrap(), &Clock::whole(Instant::now(), timeout))
    });
}

/// Another process writes it. If this one did, a child of a test beside this could have the file open for writing, and
/// the kernel would refuse to run it ("Text file busy").
fn write_program(path: &Path, content: &str) {
    let mut shell = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 0755 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(content.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success());
}

fn with_path(path: &str, act: impl FnOnce(&Call<'_>, &Network)) {
    let variables = [("CNI_COMMAND", "GC"), ("CNI_PATH", path), ("CNI_ARGS", "a=b")];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let environment = Environment::parse(variables).unwrap();
    let config = json!({"name": "blue", "ipam": {"type": "addr"}});
    let (stdin, version) = (config.to_string(), Version::V1_1_0);
    let network = Network::parse(&config).unwrap();
    let plugin_dir = Path::new("/nonexistent");
    let stdin = stdin.as_bytes();
    let (environment, config, started) = (&environment, &config, Instant::now());
    act(&Call { environment, config, stdin, version, started, plugin_dir }, &network);
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn gets_our_environment_and_input() {
    let script = r#"read -r line; [ "$line" = '{"ipam":{"type":"addr"},"name":"blue"}' ] || exit 3
        [ "$CNI_ARGS" = a=b ] && [ "$CNI_COMMAND" = ADD ] && echo '{"ips":[{"address":"10.0.0.2/24"}]}'"#;
    call(script, LONG, |ipam, clock| {
        let addresses = ipam.add(clock).unwrap();
        assert_eq!(addresses.note(), r#"{"dns":null,"ips":[{"address":"10.0.0.2/24"}],"routes":[]}"#);
        assert_eq!(Addresses::parse(addresses.note().as_bytes()), Ok(addresses));
        assert!(ipam.pass_on("DEL", clock).is_err());
    });
}

fn refusal(script: &str, timeout: Duration) -> (u64, String) {
    let mut refusal = None;
    call(script, timeout, |ipam, clock| {
        let error = ipam.add(clock).unwrap_err();
        let text = error.to_string();
        // The script's own directory.
        let text = text.split_once("/tmp").map_or(text.clone(), |(before, after)| {
            format!("{before}{}", after.split_once("/addr").unwrap().1)
        });
        refusal = Some((error.code(), text));
    });
    refusal.unwrap()
}

#[test]
fn passes_on_what_the_plugin_tells() {
    for (script, code, text) in [
        (
            r#"echo '{"code":11,"msg":"pool is empty","details":"10.0.0.0/30"}'; exit 1"#,
            11,
            "IPAM plugin 'addr': pool is empty (10.0.0.0/30)",
        ),
        ("exit 1", 6, "IPAM plugin 'addr': ADD failed and gave no reason"),
        (
            "echo no JSON",
            6,
            "IPAM plugin 'addr': its answer cannot be used: result: 'no JSON' is not a JSON object",
        ),
    ] {
        assert_eq!(refusal(script, LONG), (code, text.to_owned()));
    }
}

#[test]
fn does_not_wait_for_ever() {
    let text = "IPAM plugin 'addr': : ADD: did not end in time and was killed";
    for script in ["exec sleep 60", "exec >&-; exec sleep 60", "while :; do echo x; done"] {
        let started = Instant::now();
        let (code, said) = refusal(script, Duration::from_millis(300));
        assert!(started.elapsed() < Duration::from_secs(10));
        // The last one ends by SIGPIPE once it has said too much, if it is quick enough.
        assert!(code == 11 && said == text || code == 6, "{code} {said}");
    }
}

/// Its silence before it has ended means nothing.
#[test]
fn a_plugin_may_think_before_it_answers() {
    let script = r#"sleep 0.3; echo '{"ips":[{"address":"10.0.0.2/24"}]}'"#;
    for _ in 0..10 {
        call(script, LONG, |ipam, clock| assert!(ipam.add(clock).is_ok()));
    }
}

/// As `dhcp` plugins may: what they have started goes on, with their standard output.
#[test]
fn what_a_plugin_leaves_behind_is_not_waited_for() {
    let script = r#"sleep 5 & echo '{"ips":[{"address":"10.0.0.2/24"}]}'"#;
    call(script, LONG, |ipam, clock| {
        let started = Instant::now();
        assert!(ipam.add(clock).is_ok());
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    });
}

#[test]
fn a_missing_plugin_is_told_before_anything_is_done() {
    with_path("/nonexistent:/also", |call, network| {
        let error = Ipam::find(call, network).unwrap_err();
        assert_eq!(
            error.to_string(),
            "IPAM plugin 'addr': is in none of the directories of CNI_PATH: /nonexistent, /also"
        );
        assert_eq!(error.code(), 5);
    });
}
