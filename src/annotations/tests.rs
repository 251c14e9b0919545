use expect_test::expect;

use super::*;

fn read(annotations: &str) -> Result<Annotations, String> {
    let vmi = format!(
        r#"{{"metadata":{{"annotations":{{"unrelated":"x",{annotations}}}}},"spec":{{"domain":{{"devices":{{
        "interfaces":[{{"name":"pod"}},{{"name":"net1","binding":{{"name":"vhostuser"}}}}]}}}}}}}}"#
    );
    let vmi = Vmi::parse(vmi.as_bytes()).unwrap();
    Annotations::read(&vmi, QueuePairs::new(8).unwrap()).map_err(|error| error.to_string())
}

/// The error's text without its beginning, which is the same for all.
fn refusal(setting: &str, value: &str) -> String {
    let error = read(&format!(r#""vhostuser.network/{setting}":"{value}""#)).unwrap_err();
    error.strip_prefix(&format!("annotation 'vhostuser.network/{setting}': ")).unwrap().to_owned()
}

#[test]
fn the_nics_own_setting_wins() {
    let annotations = read(
        r#""vhostuser.network/mtu":"9000","vhostuser.network/mtu.net1":"2000",
        "vhostuser.network/queue-pairs":"8","vhostuser.network/rx-queue-size.net1":"256",
        "vhostuser.network/tx-queue-size":"512","vhostuser.network/target-dev":"true",
        "vhostuser.network/reconnect-timeout":"3600""#,
    )
    .unwrap();
    let expected = NicSettings {
        queue_pairs: QueuePairs::new(8),
        rx_queue_size: "256".parse().ok(),
        tx_queue_size: "512".parse().ok(),
        mtu: "2000".parse().ok(),
        reconnect_timeout: "3600".parse().ok(),
        target_dev: Some(true),
    };
    assert_eq!(annotations.of("net1"), expected);
    let other = NicSettings { rx_queue_size: None, mtu: "9000".parse().ok(), ..expected };
    assert_eq!(annotations.of("net2"), other);
}

#[test]
fn unknown_settings_are_refused_with_the_known_ones() {
    expect!["unknown setting, expected one of queue-pairs, rx-queue-size, tx-queue-size, mtu, reconnect-timeout, target-dev; append '.<interface>' to set it for one NIC"]
        .assert_eq(&refusal("queues", "2"));
}

#[test]
fn invalid_values_are_refused_with_what_is_expected() {
    let refusals = [
        ("queue-pairs", "0"),
        ("queue-pairs", "9"),
        ("rx-queue-size", "300"),
        ("tx-queue-size.net1", "+256"),
        ("mtu", "67"),
        ("reconnect-timeout", "1.5"),
        ("target-dev", "yes"),
        ("target-dev", ""),
    ]
    .map(|(setting, value)| format!("{setting}: {}\n", refusal(setting, value)));
    expect![[r#"
        queue-pairs: invalid value '0', expected a whole number of queue pairs from 1 to 128
        queue-pairs: invalid value '9', expected at most 8, the sidecar's --max-queue-pairs
        rx-queue-size: invalid value '300', expected 256, 512 or 1024 descriptors
        tx-queue-size.net1: invalid value '+256', expected 256, 512 or 1024 descriptors
        mtu: invalid value '67', expected a whole number of bytes from 68 to 65535
        reconnect-timeout: invalid value '1.5', expected a whole number of seconds from 1 to 3600
        target-dev: invalid value 'yes', expected true or false
        target-dev: invalid value '', expected true or false
    "#]]
    .assert_eq(&refusals.concat());
}

#[test]
fn a_setting_must_be_for_an_interface_it_can_reach() {
    for interface in ["pod", "net2", ""] {
        assert_eq!(
            refusal(&format!("mtu.{interface}"), "9000"),
            format!(
                "the VM has no interface '{interface}' that uses a network binding plugin: correct the annotation or \
                 its interface in the VM"
            )
        );
    }
}

/// Kubernetes allows 63 characters after the slash. README says how long an interface's name may therefore be.
#[test]
fn readme_says_which_interface_names_fit_into_a_key() {
    let longest = KNOWN.iter().map(|(setting, _)| format!("{setting}.").len()).max().unwrap();
    let sentence = format!("an interface name longer than {} characters", 63 - longest);
    let readme = include_str!("../../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&sentence), "README lacks {sentence:?}");
}
