//! Flags, their environment variables, and what is said of bad ones.

use std::fs;

use crate::program::{Files, Outcome, Run, failed, printed};

/// Every flag that also comes from the environment: its variable, a bad value, and what it takes. Those without a
/// bad value take any text.
type Flag = (&'static str, &'static str, Option<(&'static str, &'static str)>);

const FLAGS: [Flag; 14] = [
    ("hook-dir", "VHOSTUSER_HOOK_DIR", Some(("x", "an absolute path"))),
    (
        "compute-hook-dir",
        "VHOSTUSER_COMPUTE_HOOK_DIR",
        Some(("/a/../b", "an absolute path without '..' that leaves room for a socket's path of 107 bytes")),
    ),
    ("rx-queue-size", "VHOSTUSER_RX_QUEUE_SIZE", Some(("300", "256, 512 or 1024 descriptors"))),
    ("tx-queue-size", "VHOSTUSER_TX_QUEUE_SIZE", Some(("2048", "256, 512 or 1024 descriptors"))),
    (
        "max-queue-pairs",
        "VHOSTUSER_MAX_QUEUE_PAIRS",
        Some(("129", "a whole number of queue pairs from 1 to 128")),
    ),
    (
        "reconnect-timeout",
        "VHOSTUSER_RECONNECT_TIMEOUT",
        Some(("0.5", "a whole number of seconds from 1 to 3600")),
    ),
    ("target-dev", "VHOSTUSER_TARGET_DEV", Some(("yes", "true or false"))),
    ("wait", "VHOSTUSER_WAIT", Some(("9s", "a time like '500ms' or '8s', at most 8s"))),
    ("log-format", "VHOSTUSER_LOG_FORMAT", Some(("xml", "json or text"))),
    ("log-level", "VHOSTUSER_LOG_LEVEL", Some(("5", "error, warn, info, debug or trace"))),
    ("binding-name", "NETWORK_BINDING_PLUGIN_NAME", None),
    ("container-name", "CONTAINER_NAME", None),
    ("network-info", "VHOSTUSER_NETWORK_INFO", None),
    ("dra-dir", "VHOSTUSER_DRA_DIR", None),
];

fn checked() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    FLAGS
        .iter()
        .filter_map(|(flag, variable, bad)| bad.map(|(value, takes)| (*flag, *variable, value, takes)))
}

fn mistakes(prefix: &str) -> Outcome {
    let lines: String = checked()
        .map(|(flag, variable, value, takes)| {
            format!("\n  --{flag} ({variable}): '{value}' cannot be used, it takes {takes}")
        })
        .collect();
    failed(2, &format!("{prefix}{lines}"))
}

#[test]
fn all_bad_values_come_in_one_message() {
    let expected = mistakes("error: settings that cannot be used:");
    for serve in ["", "serve"] {
        let by_flag =
            checked().fold(Run::new(serve), |run, (flag, _, value, _)| run.arg(&format!("--{flag}={value}")));
        assert_eq!(by_flag.outcome(), expected);
        let by_variable =
            checked().fold(Run::new(serve), |run, (_, variable, value, _)| run.env(variable, value));
        assert_eq!(by_variable.outcome(), expected);
    }
}

/// The variable holds a bad value, the flag a good one: with the flag, nothing is said of the variable.
#[test]
fn a_flag_beats_its_variable() {
    for (flag, variable, value, _) in checked() {
        let good = match flag {
            "hook-dir" => "/does/not/exist",
            "compute-hook-dir" => "/x",
            "rx-queue-size" | "tx-queue-size" => "256",
            "max-queue-pairs" | "reconnect-timeout" => "1",
            "target-dev" => "true",
            "wait" => "1s",
            "log-format" => "text",
            "log-level" => "warn",
            other => panic!("{other} has no good value here"),
        };
        let run = Run::new("").env(variable, value).arg(&format!("--{flag}={good}"));
        let run = if flag == "hook-dir" { run } else { run.arg("--hook-dir=/does/not/exist") };
        let outcome = run.outcome();
        // Far enough to look for its directory.
        assert_eq!(outcome.code, Some(1), "{flag}: {outcome:?}");
        assert!(
            outcome.stderr.contains("hook directory /does/not/exist does not exist: "),
            "{flag}: {outcome:?}"
        );
    }
}

/// The two that KubeVirt sets, and the flags that decide what a NIC gets, seen in what `render` prints.
#[test]
fn a_flag_beats_its_variable_in_the_domain() {
    let files = Files::new();
    files.write(
        "vmi",
        crate::VMI
            .replacen(r#""devices": {"#, r#""devices": {"networkInterfaceMultiqueue": true,"#, 1)
            .replacen(r#""cores": 1"#, r#""cores": 8"#, 1),
    );
    files.write("network-info", crate::NETWORK_INFO.replace(r#""server""#, r#""client""#));
    for (flag, variable, of_flag, of_variable, attribute) in [
        (
            "compute-hook-dir",
            "VHOSTUSER_COMPUTE_HOOK_DIR",
            "/flag",
            "/variable",
            r#"path="VALUE/hook-sidecar-0/userdata/pod"#,
        ),
        (
            "container-name",
            "CONTAINER_NAME",
            "hook-sidecar-1",
            "hook-sidecar-2",
            r#"path="/var/run/kubevirt-hooks/VALUE/"#,
        ),
        ("rx-queue-size", "VHOSTUSER_RX_QUEUE_SIZE", "256", "512", r#"rx_queue_size="VALUE""#),
        ("tx-queue-size", "VHOSTUSER_TX_QUEUE_SIZE", "256", "512", r#"tx_queue_size="VALUE""#),
        ("max-queue-pairs", "VHOSTUSER_MAX_QUEUE_PAIRS", "2", "4", r#"queues="VALUE""#),
        ("reconnect-timeout", "VHOSTUSER_RECONNECT_TIMEOUT", "2", "3", r#"timeout="VALUE""#),
    ] {
        let count = |outcome: Outcome, value: &str| {
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            outcome.stdout.matches(&attribute.replace("VALUE", value)).count()
        };
        let run = || files.render().env(variable, of_variable);
        assert_eq!(count(run().outcome(), of_variable), 2, "{variable}");
        assert_eq!(count(run().arg(&format!("--{flag}={of_flag}")).outcome(), of_flag), 2, "--{flag}");
    }
    let target = |run: Run| run.outcome().stdout.matches(r#"<target dev="pod"#).count();
    assert_eq!(target(files.render()), 0);
    assert_eq!(target(files.render().arg("--target-dev")), 2);
    assert_eq!(target(files.render().env("VHOSTUSER_TARGET_DEV", "true")), 2);
    assert_eq!(target(files.render().env("VHOSTUSER_TARGET_DEV", "true").arg("--target-dev=false")), 0);
}

#[test]
fn the_bindings_name_decides_which_nics_are_ours() {
    let files = Files::new();
    let nics = |run: Run| run.outcome().stdout.matches(r#"<interface type="vhostuser">"#).count();
    let variable = "NETWORK_BINDING_PLUGIN_NAME";
    assert_eq!(nics(files.render()), 2);
    assert_eq!(nics(files.render().env(variable, "other")), 0);
    assert_eq!(nics(files.render().env(variable, "other").arg("--binding-name=vhostuser")), 2);
    assert_eq!(nics(files.render().arg("--binding-name=other")), 0);
    // An empty name is none.
    assert_eq!(nics(files.render().env(variable, "")), 2);
}

#[test]
fn version_is_the_packages() {
    assert_eq!(
        Run::new("").arg("--version").outcome(),
        printed(format!("network-vhostuser-binding {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn help_names_every_flag_and_variable() {
    for help in [Run::new("").arg("--help"), Run::new("serve").arg("--help")] {
        let outcome = help.outcome();
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        for (flag, variable, _) in FLAGS {
            assert!(outcome.stdout.contains(&format!("--{flag}")), "{flag}");
            assert!(outcome.stdout.contains(&format!("[env: {variable}=")), "{variable}");
        }
    }
    let render = Run::new("render").arg("--help").outcome();
    assert_eq!(render.code, Some(0));
    for flag in ["vmi", "domain", "network-info", "dra-dir", "diff", "binding-name", "container-name"] {
        assert!(render.stdout.contains(&format!("--{flag}")), "{flag}");
    }
    for none in ["--wait", "--log-level", "VHOSTUSER_NETWORK_INFO", "VHOSTUSER_DRA_DIR"] {
        assert!(!render.stdout.contains(none), "{none}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [&["nonsense"][..], &["--nonsense"], &["render"], &["render", "--vmi=x"], &["--wait"]] {
        let run = arguments.iter().fold(Run::new(""), |run, argument| run.arg(argument));
        let outcome = run.outcome();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(outcome.stderr.starts_with("error: "), "{arguments:?}: {}", outcome.stderr);
    }
    let files = Files::new();
    let bad = files.render().arg("--rx-queue-size=7").arg("--max-queue-pairs=0").outcome();
    assert_eq!(
        bad,
        failed(
            2,
            "error: settings that cannot be used:\n  --rx-queue-size (VHOSTUSER_RX_QUEUE_SIZE): '7' cannot be used, it \
             takes 256, 512 or 1024 descriptors\n  --max-queue-pairs (VHOSTUSER_MAX_QUEUE_PAIRS): '0' cannot be used, \
             it takes a whole number of queue pairs from 1 to 128"
        )
    );
}

/// KubeVirt gives no arguments at all; `serve` is the same in so many words.
#[test]
fn without_a_word_it_serves() {
    let said = |subcommand: &str| {
        let outcome = Run::new(subcommand).env("VHOSTUSER_HOOK_DIR", "/does/not/exist").outcome();
        let mut event: serde_json::Value = serde_json::from_str(&outcome.stderr).unwrap();
        event.as_object_mut().unwrap().remove("timestamp");
        (outcome.code, outcome.stdout, event)
    };
    assert_eq!(said(""), said("serve"));
    assert_eq!(said("").0, Some(1));
}

/// A name that KubeVirt would not give says nothing about the volume; an empty one is none.
#[test]
fn a_strange_container_name_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let said = |name: &str| {
        Run::new("").arg("--hook-dir").arg(file.to_str().unwrap()).env("CONTAINER_NAME", name).outcome()
    };
    let strange = said("compute");
    assert_eq!(strange.code, Some(1));
    let warning: serde_json::Value = serde_json::from_str(strange.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&warning["level"], &warning["name"], &warning["message"]),
        (
            &"WARN".into(),
            &"compute".into(),
            &"this is not a container name of KubeVirt's ('hook-sidecar-<N>'): taking the volume for a flat one, as \
              KubeVirt 1.5 and older mount it"
                .into()
        )
    );
    for quiet in ["", "hook-sidecar-0"] {
        assert_eq!(said(quiet).stderr.lines().count(), 1);
    }
}
