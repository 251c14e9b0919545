//! Flags, their environment variables, and the errors for invalid ones.

use std::fs;

use crate::program::{Files, Outcome, Run, failed, printed};

/// Every flag that also comes from the environment: its variable, an invalid and a valid value, and the error's text
/// after the value. Those without values take any string.
type Flag = (&'static str, &'static str, Option<(&'static str, &'static str, &'static str)>);

const RING: &str = "'--NAME <N>': expected 256, 512 or 1024 descriptors";

const FLAGS: [Flag; 14] = [
    (
        "hook-dir",
        "VHOSTUSER_HOOK_DIR",
        Some(("x", "/does/not/exist", "'--NAME <DIR>': expected an absolute path")),
    ),
    (
        "compute-hook-dir",
        "VHOSTUSER_COMPUTE_HOOK_DIR",
        Some((
            "/a/../b",
            "/x",
            "'--NAME <DIR>': expected an absolute path without '..' that leaves room for a socket's path of 107 bytes",
        )),
    ),
    ("rx-queue-size", "VHOSTUSER_RX_QUEUE_SIZE", Some(("300", "256", RING))),
    ("tx-queue-size", "VHOSTUSER_TX_QUEUE_SIZE", Some(("2048", "256", RING))),
    (
        "max-queue-pairs",
        "VHOSTUSER_MAX_QUEUE_PAIRS",
        Some(("129", "1", "'--NAME <N>': expected a whole number of queue pairs from 1 to 128")),
    ),
    (
        "reconnect-timeout",
        "VHOSTUSER_RECONNECT_TIMEOUT",
        Some(("0.5", "1", "'--NAME <SECONDS>': expected a whole number of seconds from 1 to 3600")),
    ),
    (
        "target-dev",
        "VHOSTUSER_TARGET_DEV",
        Some(("yes", "true", "'--NAME[=<BOOL>]'\n  [possible values: true, false]")),
    ),
    (
        "wait",
        "VHOSTUSER_WAIT",
        Some(("9s", "1s", "'--NAME <TIME>': expected a time like '500ms' or '8s', at most 8s")),
    ),
    ("log-format", "VHOSTUSER_LOG_FORMAT", Some(("xml", "text", "'--NAME <FORMAT>': expected json or text"))),
    (
        "log-level",
        "VHOSTUSER_LOG_LEVEL",
        Some(("5", "warn", "'--NAME <LEVEL>': expected error, warn, info, debug or trace")),
    ),
    ("binding-name", "NETWORK_BINDING_PLUGIN_NAME", None),
    ("container-name", "CONTAINER_NAME", None),
    ("network-info", "VHOSTUSER_NETWORK_INFO", None),
    ("dra-dir", "VHOSTUSER_DRA_DIR", None),
];

/// As clap prints it.
fn invalid(problem: &str) -> Outcome {
    failed(2, &format!("error: {problem}\n\nFor more information, try '--help'."))
}

#[test]
fn an_invalid_value_is_reported_with_what_is_expected() {
    for (flag, variable, values) in FLAGS {
        let Some((bad, _, problem)) = values else { continue };
        let expected = invalid(&format!("invalid value '{bad}' for {}", problem.replace("NAME", flag)));
        for serve in ["", "serve"] {
            assert_eq!(Run::new(serve).arg(&format!("--{flag}={bad}")).outcome(), expected);
            assert_eq!(Run::new(serve).env(variable, bad).outcome(), expected);
        }
    }
    for flag in ["network-info <FILE>", "dra-dir <DIR>"] {
        let (name, _) = flag.split_once(' ').unwrap();
        let problem = format!("a value is required for '--{flag}' but none was supplied");
        assert_eq!(Run::new("").arg(&format!("--{name}=")).outcome(), invalid(&problem));
    }
}

/// The variable holds an invalid value, the flag a valid one.
#[test]
fn a_flag_beats_its_variable() {
    for (flag, variable, values) in FLAGS {
        let Some((bad, good, _)) = values else { continue };
        let run = Run::new("").env(variable, bad).arg(&format!("--{flag}={good}"));
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

/// The flags that decide what a NIC gets, seen in what `render` prints.
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
    assert_eq!(nics(files.render()), 2);
    assert_eq!(nics(files.render().arg("--binding-name=vhostuser")), 2);
    assert_eq!(nics(files.render().arg("--binding-name=other")), 0);
    // An empty name counts as none.
    assert_eq!(nics(files.render().arg("--binding-name=")), 2);
}

/// The shell that `render` is called from may be in a container that has nothing to do with the VM.
#[test]
fn render_ignores_the_names_of_its_own_container() {
    let files = Files::new();
    let expected = files.render().outcome();
    assert_eq!(files.render().env("CONTAINER_NAME", "hook-sidecar-1").outcome(), expected);
    assert_eq!(files.render().env("CONTAINER_NAME", "shell").outcome(), expected);
    assert_eq!(files.render().env("NETWORK_BINDING_PLUGIN_NAME", "other").outcome(), expected);
    let named = files.render().arg("--container-name=hook-sidecar-1").outcome();
    assert_eq!(named.stdout.matches(r#"path="/var/run/kubevirt-hooks/hook-sidecar-1/"#).count(), 2);
    assert_eq!(
        files.render().arg("--container-name=shell").outcome().stderr,
        "warning: --container-name 'shell': not a KubeVirt sidecar name ('hook-sidecar-<N>'); assuming the flat volume \
         layout of KubeVirt 1.5 and older\n"
    );
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
    for none in [
        "--wait",
        "--log-level",
        "VHOSTUSER_NETWORK_INFO",
        "VHOSTUSER_DRA_DIR",
        "CONTAINER_NAME=",
        "NETWORK_BINDING_PLUGIN_NAME",
    ] {
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
    let bad = Files::new().render().arg("--rx-queue-size=7").outcome();
    assert_eq!(
        bad,
        invalid("invalid value '7' for '--rx-queue-size <N>': expected 256, 512 or 1024 descriptors")
    );
}

/// KubeVirt passes no arguments.
#[test]
fn serve_is_the_default() {
    let said = |subcommand: &str| {
        let outcome = Run::new(subcommand).env("VHOSTUSER_HOOK_DIR", "/does/not/exist").outcome();
        let mut event: serde_json::Value = serde_json::from_str(&outcome.stderr).unwrap();
        event.as_object_mut().unwrap().remove("timestamp");
        (outcome.code, outcome.stdout, event)
    };
    assert_eq!(said(""), said("serve"));
    assert_eq!(said("").0, Some(1));
}

/// A name that KubeVirt would not assign says nothing about the volume; an empty one counts as none.
#[test]
fn an_unrecognised_container_name_is_reported() {
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
            &"not a KubeVirt sidecar name ('hook-sidecar-<N>'); assuming the flat volume layout of KubeVirt 1.5 and \
              older"
                .into()
        )
    );
    for quiet in ["", "hook-sidecar-0"] {
        assert_eq!(said(quiet).stderr.lines().count(), 1);
    }
}
