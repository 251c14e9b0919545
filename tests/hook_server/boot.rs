//! Whole boots, of every KubeVirt, with what KubeVirt does to an answer before the next call.

use crate::{
    DOMAIN, VMI, answer,
    pod::Pod,
    sidecar::{Sidecar, limited},
};
use launcher_sim::{
    Exchange, Layout, Machine, Release, boot_over, migration_target_over, placeholders_for, reduce,
};

/// Of the VMI, ours included.
const INTERFACES: usize = 3;

async fn boot(release: Release) -> Vec<Exchange> {
    let pod = Pod::with_network_info(release.layout());
    let sidecar = pod.sidecar().start().await;
    let machine = Machine::new(release, placeholders_for(INTERFACES));
    let calls = boot_over(machine, DOMAIN, &[sidecar.client()], VMI.as_bytes()).await.unwrap();
    assert_links(&pod, &sidecar);
    calls
}

fn assert_links(pod: &Pod, sidecar: &Sidecar) {
    for (name, target) in answer::LINKS {
        let link = std::fs::read_link(pod.links().join(name));
        assert_eq!(link.unwrap().to_str(), Some(target), "{}", sidecar.stderr());
    }
    assert_eq!(std::fs::read_dir(pod.links()).unwrap().count(), 2);
}

/// What must be the same in every answer.
fn assert_planned(answer: &str) {
    let expected = answer::to_domain();
    assert_eq!(answer::nics(answer), answer::nics(&expected));
    assert_eq!(answer::memory(answer), answer::memory(&expected));
    assert_eq!(answer::overrides(answer), answer::overrides(&expected));
}

#[tokio::test]
async fn kubevirt_1_5_calls_twice() {
    limited(async {
        let calls = boot(Release::V1_5).await;
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].given.matches("placeholder-").count(), 1);
        for call in &calls {
            assert_eq!(call.answer, answer::to(&call.given));
        }
        assert_eq!(calls[1].answer, answer::to_domain());
    })
    .await;
}

#[tokio::test]
async fn kubevirt_1_8_calls_a_third_time_with_what_is_left_of_our_nics() {
    limited(async {
        let calls = boot(Release::V1_8).await;
        assert_eq!(calls.len(), 3);
        for call in &calls[..2] {
            assert_eq!(call.answer, answer::to(&call.given));
        }
        assert_repaired(&calls[2]);
        assert_eq!(answer::addresses(&calls[2].answer), [None, None]);
    })
    .await;
}

#[tokio::test]
async fn kubevirt_main_calls_a_third_time_with_addresses() {
    limited(async {
        let calls = boot(Release::Main).await;
        assert_eq!(calls.len(), 3);
        for call in &calls[..2] {
            assert_eq!(call.answer, answer::to(&call.given));
        }
        assert_repaired(&calls[2]);
        let given = answer::addresses(&calls[2].given);
        assert!(given.iter().all(Option::is_some));
        assert_eq!(answer::addresses(&calls[2].answer), given);
    })
    .await;
}

/// The same NICs as in the call before, although their stale copies had lost half.
fn assert_repaired(last: &Exchange) {
    for lost in ["/vhost.sock", "rx_queue_size", "host_mtu"] {
        assert!(!last.given.contains(lost), "{lost}");
    }
    assert_eq!(last.given.matches("ua-dpdk").count(), 2);
    assert_planned(&last.answer);
}

#[tokio::test]
async fn a_machine_without_hot_plug_calls_once() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        let machine = Machine::without_hotplug(Release::V1_8);
        let calls = boot_over(machine, DOMAIN, &[sidecar.client()], VMI.as_bytes()).await.unwrap();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].answer, answer::to_domain());
    })
    .await;
}

/// Its answer to itself is itself, and what KubeVirt makes of an answer is mended every time.
#[tokio::test]
async fn any_number_of_calls_gives_the_same_nics() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        let mut xml = DOMAIN.to_owned();
        for _ in 0..3 {
            let answer = sidecar.client().on_define_domain(xml, VMI).await.unwrap();
            assert_planned(&answer);
            let again = sidecar.client().on_define_domain(answer.clone(), VMI).await.unwrap();
            assert_eq!(again, answer);
            xml = reduce(&answer);
        }
        // The links are made once and then left alone.
        let links = sidecar.find_all("stable link");
        assert_eq!(links.iter().map(|event| &event["outcome"]).collect::<Vec<_>>(), ["Created", "Created"]);
    })
    .await;
}

/// The answer is thrown away there; the link is what counts.
#[tokio::test]
async fn one_call_on_a_migration_target_makes_its_links() {
    limited(async {
        for layout in [Layout::Flat, Layout::PerSidecar] {
            let pod = Pod::with_network_info(layout);
            let elsewhere = crate::NETWORK_INFO.replace("54ed0871", "aaaa").replace("d331da48", "bbbb");
            pod.write_network_info(&elsewhere);
            let sidecar = pod.sidecar().start().await;
            migration_target_over(DOMAIN, &[sidecar.client()], VMI.as_bytes()).await.unwrap();
            for ((name, _), target) in answer::LINKS.iter().zip(["aaaa", "bbbb"]) {
                let link = std::fs::read_link(pod.links().join(name)).unwrap();
                assert_eq!(link.to_str().unwrap(), format!("/var/run/vhost-user/{target}"));
            }
        }
    })
    .await;
}
