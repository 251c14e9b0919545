//! network-info that comes late, in pieces or not at all, while a call waits for it.

use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use tokio::time::{sleep, timeout};
use tonic::{Code, Status};

use crate::{DOMAIN, NETWORK_INFO, VMI, answer, pod::Pod, sidecar::limited};
use launcher_sim::Layout;
use vocabulary::NetworkName;

/// One way to be late: how it looks when the call comes, and how it gets right.
type Late = (&'static str, fn(&Pod), fn(&Pod));

const LATE: [Late; 6] = [
    ("missing", |_| {}, |pod| pod.write_network_info(NETWORK_INFO)),
    ("empty", |pod| pod.write_network_info(""), |pod| pod.write_network_info(NETWORK_INFO)),
    ("half-written", |pod| pod.write_network_info(half()), |pod| pod.write_network_info(NETWORK_INFO)),
    (
        "without our networks",
        |pod| pod.write_network_info(OTHERS),
        |pod| pod.write_network_info(NETWORK_INFO),
    ),
    (
        "with one of our networks",
        |pod| pod.write_network_info(FIRST),
        |pod| pod.write_network_info(NETWORK_INFO),
    ),
    ("swapped by kubelet", |pod| publish(pod, ""), |pod| publish(pod, NETWORK_INFO)),
];

const OTHERS: &str = r#"{"interfaces":[{"network":"default"}]}"#;

const FIRST: &str = r#"{"interfaces":[{"network":"dpdk0","deviceInfo":{"type":"vhost-user",
    "vhost-user":{"mode":"server","path":"/var/run/vhost-user/54ed0871/vhost.sock"}}}]}"#;

fn half() -> &'static str {
    &NETWORK_INFO[..NETWORK_INFO.len() / 2]
}

/// What kubelet does: a new directory, then a link to it is renamed over `..data`.
fn publish(pod: &Pod, content: &str) {
    let file = pod.network_info();
    let dir = file.parent().unwrap();
    let fresh = format!("..{}", content.len());
    fs::create_dir(dir.join(&fresh)).unwrap();
    fs::write(dir.join(&fresh).join("network-info"), content).unwrap();
    symlink(&fresh, dir.join("..data_tmp")).unwrap();
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    if !file.is_symlink() {
        symlink("..data/network-info", &file).unwrap();
    }
}

#[tokio::test]
async fn a_call_returns_as_soon_as_its_networks_are_there() {
    limited(async {
        let mut cases = tokio::task::JoinSet::new();
        for (name, before, after) in LATE {
            cases.spawn(async move {
                let pod = Pod::new();
                before(&pod);
                let sidecar = pod.sidecar().start().await;
                let client = sidecar.client();
                let mut call = tokio::spawn(async move { client.on_define_domain(DOMAIN, VMI).await });
                let early = timeout(Duration::from_millis(400), &mut call).await;
                assert!(early.is_err(), "{name}: {early:?}");
                after(&pod);
                let ready = Instant::now();
                assert_eq!(call.await.unwrap().unwrap(), answer::to_domain(), "{name}");
                assert!(ready.elapsed() < Duration::from_secs(1), "{name}: {:?}", ready.elapsed());
            });
        }
        while let Some(case) = cases.join_next().await {
            case.unwrap();
        }
    })
    .await;
}

/// What the call says after `--wait 500ms`, having checked that it took that long and not twice that long, although
/// the VM has two NICs.
async fn time_over(vmi: &str, prepare: impl Fn(&Pod)) -> String {
    let pod = Pod::new();
    prepare(&pod);
    let sidecar = pod.sidecar().flag("--wait=500ms").start().await;
    let started = Instant::now();
    let status = sidecar.client().on_define_domain(DOMAIN, vmi).await.unwrap_err();
    let took = started.elapsed();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(took >= Duration::from_millis(500) && took < Duration::from_millis(990), "{took:?}");
    assert_eq!(pod.files(), ["hook-sidecar-0", "hook-sidecar-0/vhostuser-hook-sidecar-0.sock"]);
    let root = pod.network_info().parent().unwrap().parent().unwrap().display().to_string();
    status.message().replace(&root, "")
}

const REMEDY: &str = "KubeVirt lists a network once Multus has reported it: check the pod's network-status, that the \
    NAD's annotation k8s.v1.cni.cncf.io/resourceName names the device plugin's resource and that the VM requests it \
    (KubeVirt 1.7 and older never list a network without device-info)";

#[tokio::test]
async fn the_wait_is_bounded_and_says_what_is_missing() {
    limited(async {
        assert_eq!(
            time_over(VMI, |_| {}).await,
            "network 'dpdk0': /podinfo/network-info: is missing after 0.5s: register the binding with downwardAPI: \
             device-info, so that KubeVirt mounts it"
        );
        assert_eq!(
            time_over(VMI, |pod| pod.write_network_info("\n")).await,
            format!("network 'dpdk0': /podinfo/network-info: is empty after 0.5s: {REMEDY}")
        );
        assert_eq!(
            time_over(VMI, |pod| pod.write_network_info(half())).await,
            "network 'dpdk0': /podinfo/network-info: is not complete JSON (line 1, column 214) after 0.5s: look at \
             the pod's annotation kubevirt.io/network-info"
        );
        assert_eq!(
            time_over(VMI, |pod| pod.write_network_info(FIRST)).await,
            format!("network 'dpdk1': /podinfo/network-info: does not list it after 0.5s: {REMEDY}")
        );
    })
    .await;
}

#[tokio::test]
async fn on_a_migration_target_it_names_the_versions_that_never_write_the_file() {
    limited(async {
        let migrating =
            VMI.replacen(r#""status": {"#, r#""status": { "migrationState": { "targetPod": "virt-launcher-x" },"#, 1);
        assert_eq!(
            time_over(&migrating, |_| {}).await,
            "network 'dpdk0': /podinfo/network-info: is missing after 0.5s: register the binding with downwardAPI: \
             device-info, so that KubeVirt mounts it; on a migration target KubeVirt 1.6.2 and older never write it \
             (kubevirt#15634), 1.6.3 does"
        );
    })
    .await;
}

/// The two networks as DRA claims.
fn dra_vmi() -> String {
    let vmi = VMI.replace(
        r#""multus": {
          "networkName": "ns1/dpdk"
        }"#,
        r#""resourceClaim": { "claimName": "nets", "requestName": "REQUEST" }"#,
    );
    let vmi = vmi.replacen("REQUEST", "r0", 1).replacen("REQUEST", "r1", 1);
    vmi.replacen(
        r#""evictionStrategy""#,
        r#""resourceClaims": [{"name": "nets", "resourceClaimTemplateName": "t"}], "evictionStrategy""#,
        1,
    )
}

fn write_metadata(pod: &Pod, request: &str) {
    let dir = pod.dra().join("resourceclaimtemplates/nets").join(request);
    fs::create_dir_all(&dir).unwrap();
    let metadata = format!(
        r#"{{"kind":"DeviceMetadata","apiVersion":"metadata.resource.k8s.io/v1alpha1","requests":[{{"name":"{request}",
        "devices":[{{"driver":"d","pool":"p","name":"n","attributes":{{
        "vhost-user-path":{{"string":"/var/run/ovsdpdk/nets/{request}/vhost.sock"}}}}}}]}}]}}"#
    );
    fs::write(dir.join("d-metadata.json"), metadata).unwrap();
}

#[tokio::test]
async fn device_metadata_of_claims_is_waited_for_as_well() {
    limited(async {
        let vmi = dra_vmi();
        assert_eq!(
            time_over(&vmi, |pod| write_metadata(pod, "r0")).await,
            "network 'dpdk1': /dra/resourceclaimtemplates/nets/r1: is missing after 0.5s: check that the claim is \
             allocated, that its driver publishes device metadata, and that KubeVirt gives the claim to the sidecar \
             (1.9 gives it to the compute container only)"
        );

        let pod = Pod::new();
        let sidecar = pod.sidecar().start().await;
        write_metadata(&pod, "r0");
        let client = sidecar.client();
        let call = tokio::spawn(async move { client.on_define_domain(DOMAIN, vmi).await });
        sleep(Duration::from_millis(200)).await;
        write_metadata(&pod, "r1");
        let answer = call.await.unwrap().unwrap();
        for (request, (name, _)) in ["r0", "r1"].iter().zip(answer::LINKS) {
            assert!(answer.contains(&format!("/hook-sidecar-0/userdata/{name}/vhost.sock\"")), "{answer}");
            let target = fs::read_link(pod.links().join(name)).unwrap();
            assert_eq!(target.to_str().unwrap(), format!("/var/run/ovsdpdk/nets/{request}"));
        }
    })
    .await;
}

/// A migration target gets one call only, so the first one makes the links of other sidecars' networks, too.
#[tokio::test]
async fn with_claims_only_the_first_call_links_the_listed_networks_of_others() {
    limited(async {
        let pod = Pod::new();
        write_metadata(&pod, "r0");
        write_metadata(&pod, "r1");
        pod.write_network_info(
            r#"{"interfaces":[{"network":"other","deviceInfo":{"type":"vhost-user","vhost-user":
            {"path":"/var/run/vhostuser/o/vhost.sock"}}}]}"#,
        );
        let sidecar = pod.sidecar().start().await;
        sidecar.client().on_define_domain(DOMAIN, dra_vmi()).await.unwrap();
        let link = pod.links().join("other".parse::<NetworkName>().unwrap().pod_interface());
        assert_eq!(fs::read_link(link).unwrap().to_str(), Some("/var/run/vhostuser/o"));
    })
    .await;
}

/// With the wait that a real sidecar has; virt-handler's deadline for all sidecars together is 20 s.
#[tokio::test]
async fn info_is_answered_while_calls_wait_their_eight_seconds() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().start().await;
        let started = Instant::now();
        // Two calls at the same time do not wait for one another.
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let client = sidecar.client();
                tokio::spawn(async move { client.on_define_domain(DOMAIN, VMI).await })
            })
            .collect();
        while started.elapsed() < Duration::from_millis(7500) {
            sidecar.client().info().await.expect("within the second that virt-launcher gives it");
            sleep(Duration::from_millis(50)).await;
        }
        for call in waiting {
            let error: Status = call.await.unwrap().unwrap_err();
            assert_eq!(error.code(), Code::Unavailable, "{error:?}");
            assert!(error.message().contains(": is missing after 8s: "), "{error:?}");
        }
        let took = started.elapsed();
        assert!(took >= Duration::from_secs(8) && took < Duration::from_secs(9), "{took:?}");
    })
    .await;
}

/// What waiting cannot mend is refused at once.
#[tokio::test]
async fn a_listed_network_without_device_info_is_not_waited_for() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        pod.write_network_info(r#"{"interfaces":[{"network":"dpdk0","mac":"02:00:00:0a:00:00"}]}"#);
        let sidecar = pod.sidecar().start().await;
        let started = Instant::now();
        let status = sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (
                Code::FailedPrecondition,
                format!(
                    "network 'dpdk0': {}: the network is listed without deviceInfo: check that the NAD's annotation \
                     k8s.v1.cni.cncf.io/resourceName names the vhost-user device plugin's resource and that the VM \
                     requests it",
                    pod.network_info().display()
                )
                .as_str()
            )
        );
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    })
    .await;
}
