use proptest::{collection::btree_map, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;

const KEYS: [&str; 22] = [
    "cniVersion",
    "name",
    "type",
    "ipam",
    "dns",
    "capabilities",
    "runtimeConfig",
    "prevResult",
    "deviceID",
    "bridge",
    "socketRoot",
    "mode",
    "group",
    "vlan",
    "trunk",
    "nativeVlan",
    "mtu",
    "toGuestKbit",
    "toGuestBurstKbit",
    "timeout",
    "cni.dev/valid-attachments",
    "unknown",
];

fn value() -> impl Strategy<Value = Value> {
    let one = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..5000).prop_map(Value::from),
        "[a-z0-9./:-]{0,12}".prop_map(Value::from),
        select(vec!["1.1.0", "1.0.0", "ovs-0", "/run", "server", "1-5"]).prop_map(Value::from),
    ];
    one.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(select(vec!["type", "deviceID", "mac", "containerID", "ifname"]), inner, 0..3)
                .prop_map(|map| json!(map)),
        ]
    })
}

fn command() -> impl Strategy<Value = &'static str> {
    select(vec!["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION", "", "x"])
}

fn answer(command: &str, ifname: &str, stdin: &[u8]) -> Answer {
    let variables = [
        ("CNI_COMMAND", command),
        ("CNI_CONTAINERID", "c1"),
        ("CNI_IFNAME", ifname),
        ("CNI_NETNS", "/run/netns/c1"),
        ("CNI_PATH", "/nonexistent"),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    run_with(variables, stdin, Instant::now(), Path::new("/nonexistent"))
}

/// Success says nothing, or what VERSION tells; a failure says an error with a code and words.
fn check(answer: &Answer) -> Result<(), TestCaseError> {
    if answer.success {
        prop_assert!(answer.stdout.is_empty() || answer.stdout.contains("supportedVersions"));
        return Ok(());
    }
    let error: Value = serde_json::from_str(&answer.stdout).unwrap();
    let version = error["cniVersion"].as_str().and_then(Version::parse);
    prop_assert!(version.is_some() && error["code"].as_u64().is_some_and(|code| code > 0), "{}", error);
    prop_assert!(!error["msg"].as_str().unwrap_or_default().is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn whatever_comes_gets_an_answer(
        command in command(),
        ifname in ".{0,17}",
        config in btree_map(select(KEYS.to_vec()), value(), 0..8),
        valid in any::<bool>(),
    ) {
        let mut config = json!(config);
        // Nobody listens there.
        config["ovsdb"] = json!("/nonexistent/db.sock");
        if valid {
            config["cniVersion"] = json!("1.1.0");
            config["name"] = json!("blue");
        }
        check(&answer(command, &ifname, config.to_string().as_bytes()))?;
    }

    #[test]
    fn whatever_bytes_come_get_an_answer(command in command(), stdin in proptest::collection::vec(any::<u8>(), 0..40)) {
        check(&answer(command, "net1", &stdin))?;
    }
}
