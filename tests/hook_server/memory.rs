//! What the first call of a boot found, later calls do not look for: KubeVirt cannot recover from their errors.

use std::{fs, time::Duration};

use serde_json::json;
use tokio::time::sleep;
use tonic::Code;

use crate::{DOMAIN, NETWORK_INFO, VMI, answer, pod::Pod, sidecar::limited};
use launcher_sim::Layout;

const UID: &str = "50e49fa8-62a3-4d54-8355-9fa501eb4c9a";

/// The VMI as another object of the same name.
fn another() -> String {
    VMI.replacen(&format!(r#""uid": "{UID}""#), r#""uid": "another""#, 1)
}

/// network-info in which everything differs.
fn altered() -> String {
    NETWORK_INFO
        .replace("server", "client")
        .replace("vhost.sock", "other.sock")
        .replace("/vhost-user/", "/elsewhere/")
}

#[tokio::test]
async fn a_boot_keeps_what_its_first_call_has_found() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().flag("--wait=500ms").start().await;
        let call = async || sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
        assert_eq!(call().await, answer::to_domain());

        fs::remove_file(pod.network_info()).unwrap();
        assert_eq!(call().await, answer::to_domain());
        for content in ["", "{", r#"{"interfaces":[{"network":"dpdk0"}]}"#, &altered()] {
            pod.write_network_info(content);
            assert_eq!(call().await, answer::to_domain());
        }
        fs::remove_file(pod.network_info()).unwrap();
        fs::create_dir(pod.network_info()).unwrap();
        assert_eq!(call().await, answer::to_domain());
        for (name, target) in answer::LINKS {
            assert_eq!(fs::read_link(pod.links().join(name)).unwrap().to_str(), Some(target));
        }
    })
    .await;
}

/// A later call links what has been listed meanwhile, but refuses nothing for its sake.
#[tokio::test]
async fn a_boot_is_not_refused_for_what_comes_after_its_first_call() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        let other = r#""interfaces": [{"name": "other", "binding": {"name": "another"}},"#;
        let vmi = VMI.replacen(r#""interfaces": ["#, other, 1).replacen(
            r#""networks": ["#,
            r#""networks": [{"name": "other", "multus": {"networkName": "ns1/other"}},"#,
            1,
        );
        let first = sidecar.client().on_define_domain(DOMAIN, vmi.clone()).await.unwrap();
        for path in ["/var/run/vhost-user/54ed0871/vhost.sock", "../x", "/var/run/vhost-user/other/vhost.sock"] {
            let late = format!(
                r#"{{"interfaces": [{{"network":"other","deviceInfo":{{"type":"vhost-user","vhost-user":{{"path":"{path}"}}}}}}, "#
            );
            pod.write_network_info(&NETWORK_INFO.replacen(r#"{"interfaces": ["#, &late, 1));
            assert_eq!(sidecar.client().on_define_domain(DOMAIN, vmi.clone()).await.unwrap(), first);
        }
    })
    .await;
}

#[tokio::test]
async fn another_vmi_is_looked_up_afresh() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        let client = sidecar.client();
        assert_eq!(client.on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
        pod.write_network_info(&altered());

        let fresh = client.on_define_domain(DOMAIN, another()).await.unwrap();
        assert_eq!(
            fresh.matches(r#"/other.sock" mode="client"><reconnect enabled="yes" timeout="1"/>"#).count(),
            2
        );
        let target = fs::read_link(pod.links().join(answer::LINKS[0].0)).unwrap();
        assert_eq!(target.to_str(), Some("/var/run/elsewhere/54ed0871"));

        // The first one's memory is its own.
        assert_eq!(client.on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
    })
    .await;
}

/// Without a UID, namespace and name tell VMIs apart.
#[tokio::test]
async fn a_vmi_without_uid_goes_by_its_name() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        let unnamed = VMI.replacen(&format!(r#""uid": "{UID}""#), r#""uid": """#, 1);
        let client = sidecar.client();
        let first = client.on_define_domain(DOMAIN, unnamed.clone()).await.unwrap();
        pod.write_network_info(&altered());
        assert_eq!(client.on_define_domain(DOMAIN, unnamed.clone()).await.unwrap(), first);
        let renamed = unnamed.replacen(r#""name": "vmi-11""#, r#""name": "vmi-12""#, 1);
        assert!(client.on_define_domain(DOMAIN, renamed).await.unwrap().contains(r#"mode="client""#));
    })
    .await;
}

#[tokio::test]
async fn a_refused_call_is_not_remembered() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().flag("--wait=0s").start().await;
        let client = sidecar.client();
        let missing = client.on_define_domain(DOMAIN, VMI).await.unwrap_err();
        assert_eq!(missing.code(), Code::Unavailable, "{missing:?}");

        // Everything is found, but a link cannot be made.
        pod.write_network_info(&altered());
        let occupied = pod.links().join(answer::LINKS[1].0);
        fs::create_dir_all(&occupied).unwrap();
        let refused = client.on_define_domain(DOMAIN, VMI).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");

        fs::remove_dir(&occupied).unwrap();
        pod.write_network_info(NETWORK_INFO);
        assert_eq!(client.on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
    })
    .await;
}

/// While a call waits, another of the same boot may answer: the one that waited goes by that answer.
#[tokio::test]
async fn a_call_that_waited_does_not_contradict_one_that_did_not() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().start().await;
        let client = sidecar.client();
        let waiting = tokio::spawn(async move { client.on_define_domain(DOMAIN, VMI).await });
        sleep(Duration::from_millis(200)).await;
        let first: serde_json::Value = serde_json::from_str(NETWORK_INFO).unwrap();
        pod.write_network_info(&json!({"interfaces": [of_network(&first, "dpdk0")]}).to_string());
        let mut one: serde_json::Value = serde_json::from_str(VMI).unwrap();
        let interfaces = one["spec"]["domain"]["devices"]["interfaces"].as_array_mut().unwrap();
        interfaces.iter_mut().find(|found| found["name"] == "dpdk1").unwrap()["state"] = "absent".into();
        sidecar.client().on_define_domain(DOMAIN, one.to_string()).await.unwrap();

        pod.write_network_info(&altered());
        waiting.await.unwrap().unwrap();
        let targets = answer::LINKS.map(|(name, _)| fs::read_link(pod.links().join(name)).unwrap());
        let [(_, first), (_, second)] = answer::LINKS;
        let second = second.replace("/vhost-user/", "/elsewhere/");
        assert_eq!(targets.map(|path| path.to_str().unwrap().to_owned()), [first.to_owned(), second]);
    })
    .await;
}

fn of_network(info: &serde_json::Value, network: &str) -> serde_json::Value {
    let listed = info["interfaces"].as_array().unwrap();
    listed.iter().find(|entry| entry["network"] == network).unwrap().clone()
}

#[tokio::test]
async fn calls_at_the_same_time_agree() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().start().await;
        let calls: Vec<_> = (0..4)
            .map(|_| {
                let client = sidecar.client();
                tokio::spawn(async move { client.on_define_domain(DOMAIN, VMI).await })
            })
            .collect();
        sleep(Duration::from_millis(200)).await;
        pod.write_network_info(NETWORK_INFO);
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), answer::to_domain());
        }
        assert_eq!(fs::read_dir(pod.links()).unwrap().count(), 2);
    })
    .await;
}
