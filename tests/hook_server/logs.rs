//! What the sidecar says on standard error.

use std::io::Read;

use serde_json::{Value, json};
use tonic::Code;

use crate::{
    DOMAIN, VMI, answer,
    pod::Pod,
    sidecar::{limited, until},
};
use launcher_sim::{Client, Layout};

/// The event without its time.
fn timeless(event: &Value) -> Value {
    let mut event = event.clone();
    let time = event.as_object_mut().unwrap().remove("timestamp").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    event
}

#[tokio::test]
async fn a_call_tells_whose_it_is_and_both_ends_of_each_socket() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
        let span = json!({"name": "on_define_domain", "vmi": "default/vmi-11"});
        let nic = |network: &str, link: &str, device: &str, mac: &str| {
            json!({
                "level": "INFO", "message": "vhost-user NIC", "span": span,
                "network": network, "mode": "server", "model": "virtio-non-transitional", "mac": mac,
                "ends": "guest listens, switch connects",
                "socket": format!("/var/run/kubevirt-hooks/hook-sidecar-0/userdata/{link}/vhost.sock"),
                "device_socket": format!("/var/run/vhost-user/{device}/vhost.sock"),
            })
        };
        let mut second = nic("dpdk1", "pod34040c6f57d", "d331da48", "02:00:00:0a:01:01");
        second["mtu"] = json!(9000);
        assert_eq!(
            sidecar.find_all("vhost-user NIC").iter().map(timeless).collect::<Vec<_>>(),
            [nic("dpdk0", "pod0234249e469", "54ed0871", "02:00:00:0a:00:00"), second]
        );
        let userdata = pod.links().display().to_string();
        assert_eq!(
            sidecar.find_all("stable link").iter().map(timeless).collect::<Vec<_>>(),
            [("pod0234249e469", "54ed0871"), ("pod34040c6f57d", "d331da48")].map(|(link, device)| json!({
                "level": "INFO", "message": "stable link", "span": span, "outcome": "Created",
                "link": format!("{userdata}/{link}"), "target": format!("/var/run/vhost-user/{device}"),
            }))
        );
    })
    .await;
}

/// Once, with the code and the very text that KubeVirt shows, and with the VM it is about.
#[tokio::test]
async fn a_refusal_is_told_once() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().flag("--wait=0s").start().await;
        let status = sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        let errors: Vec<_> =
            sidecar.events().iter().filter(|event| event["level"] == "ERROR").map(timeless).collect();
        assert_eq!(
            errors,
            [json!({
                "level": "ERROR", "message": "refused the domain", "code": "Unavailable",
                "error": status.message(), "span": {"name": "on_define_domain", "vmi": "default/vmi-11"},
            })]
        );
    })
    .await;
}

#[tokio::test]
async fn text_is_for_people() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let mut sidecar = pod.sidecar().flag("--log-format=text").spawn();
        until("the socket is there", || pod.socket().exists()).await;
        let client = Client::new(pod.socket());
        client.on_define_domain(DOMAIN, VMI).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(sidecar.exit().await.0, Some(0));
        let log = sidecar.stderr();
        let nics: Vec<_> = log.lines().filter(|line| line.contains("vhost-user NIC")).collect();
        assert_eq!(nics.len(), 2, "{log}");
        assert!(
            nics[0].contains(" INFO on_define_domain{vmi=default/vmi-11}: vhost-user NIC network=dpdk0 "),
            "{log}"
        );
        assert!(!log.contains('\x1b'), "{log}");
    })
    .await;
}

/// Whoever collects logs may die; the VM's NICs must not depend on it.
#[tokio::test]
async fn it_serves_without_anybody_to_listen() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let mut sidecar = pod.sidecar().spawn_unheard();
        until("the socket is there", || pod.socket().exists()).await;
        let client = Client::new(pod.socket());
        client.info().await.unwrap();
        assert_eq!(client.on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
        let refused = client.on_define_domain("", VMI).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        client.shutdown().await.unwrap();
        assert_eq!(sidecar.exit().await.0, Some(0));
    })
    .await;
}

/// Cloud-init data is in the VMI and may hold passwords; a domain may hold disk secrets.
#[tokio::test]
async fn secrets_stay_out_of_messages_and_logs() {
    const SECRET: &str = "hunter2";
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().flag("--log-level=trace").start().await;
        let vmi = VMI.replacen(
            r#""volumes": ["#,
            r#""volumes": [{"name": "init", "cloudInitNoCloud": {"userData": "password: hunter2"}}, "#,
            1,
        );
        let domain = DOMAIN.replacen("<devices>", "<description>hunter2</description><devices>", 1);
        assert!(
            sidecar.client().on_define_domain(domain.clone(), vmi.clone()).await.unwrap().contains(SECRET)
        );
        sidecar.client().pre_cloud_init_iso(SECRET, vmi.clone()).await.unwrap();

        // Cut or bent in places where a parser might quote what it found.
        let in_secret = vmi.find(SECRET).unwrap() + 3;
        let bad_vmis = [
            vmi[..in_secret].to_owned(),
            vmi.replacen("password: hunter2\"", "password: hunter2", 1),
            vmi.replacen(r#""interfaces": ["#, r#""interfaces": "hunter2", "x": ["#, 1),
            vmi.replacen(r#""uid""#, r#""annotations": "hunter2", "uid""#, 1),
            SECRET.to_owned(),
        ];
        let bad_domains = [
            domain.replacen("</description>", "", 1),
            domain.replacen("hunter2<", "hunter2&hunter2;<", 1),
            domain.replacen("<description>", "<description hunter2>", 1),
            domain.replacen("<description>", "<description a='hunter2' a='hunter2'>", 1),
            domain.replacen("<domain", "<hunter2", 1),
            SECRET.to_owned(),
        ];
        let vmis = bad_vmis.map(|bad| (domain.clone(), bad));
        let domains = bad_domains.map(|bad| (bad, vmi.clone()));
        for (domain, vmi) in vmis.into_iter().chain(domains) {
            let status = sidecar.client().on_define_domain(domain, vmi).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            assert!(!status.message().contains(SECRET), "{status:?}");
        }
        assert!(!sidecar.stderr().contains(SECRET), "{}", sidecar.stderr());
    })
    .await;
}

/// More than the pipe and the queue can hold: every call is answered, and whoever reads at last hears of the gap.
#[tokio::test]
async fn it_serves_while_nobody_reads_its_log() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (mut sidecar, mut log) = pod.sidecar().flag("--log-level=debug").spawn_unread();
        let socket = pod.socket();
        until("there is a socket", || socket.exists()).await;
        let client = Client::new(&socket);
        for _ in 0..400 {
            client.info().await.unwrap();
        }
        assert_eq!(client.on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
        let read = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        });
        client.shutdown().await.unwrap();
        assert_eq!(sidecar.exit().await.0, Some(0));
        let text = read.await.unwrap();
        let events: Vec<Value> =
            text.trim_start_matches('#').lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events[0]["message"], "serving hooks");
        let gap = "nobody read standard error: log lines were dropped here";
        let report = events.iter().find(|event| event["message"] == gap).unwrap();
        let found =
            events.iter().filter(|event| event["message"] == "virt-launcher found this sidecar").count();
        let lost = report["lines"].as_u64().unwrap();
        assert!(found < 400 && lost > 400 - found as u64, "{found} {lost}");
        let last = &events.last().unwrap()["message"];
        assert_eq!(last, "ended: the VM is gone");
    })
    .await;
}
