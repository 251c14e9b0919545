//! KubeVirt's plugin framework: the same process answers `MutateDomain` as it answers `OnDefineDomain`.

use std::{
    fs,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
};

use launcher_sim::{
    Layout, Machine, Release, boot_through, placeholders_for,
    plugin::{Pipeline, mutate_domain, request_form},
    render,
};
use tonic::{Code, Status};

use crate::{
    DOMAIN, VMI, answer,
    pod::Pod,
    sidecar::{Sidecar, limited},
};

/// The plugin's part of the volume, at the same path in every container.
fn mounted(pod: &Pod) -> PathBuf {
    let dir = pod.volume().with_file_name("plugin");
    fs::create_dir(&dir).unwrap();
    dir.join("vhostuser.sock")
}

fn flag(socket: &Path) -> String {
    format!("--plugin-socket={}", socket.display())
}

/// A sidecar to which a cluster admin's policy has given the plugin's volume, and its socket there.
async fn plugged(pod: &Pod) -> (Sidecar, PathBuf) {
    let socket = mounted(pod);
    (pod.sidecar().flag(&flag(&socket)).start().await, socket)
}

/// A sidecar that a cluster admin's policy has added to the pod, and its socket.
pub async fn without_hooks(pod: &Pod) -> (Sidecar, PathBuf) {
    let socket = mounted(pod);
    let mut sidecar = pod.sidecar().flag(&flag(&socket)).flag("--without-hooks").spawn();
    sidecar.saying("serving KubeVirt's plugin framework").await;
    (sidecar, socket)
}

async fn boot(socket: &Path, domain: &str) -> Result<String, Status> {
    mutate_domain(socket, "libvirt", domain, VMI, "Boot").await
}

fn same_as_legacy(mutated: &str) {
    let expected = answer::to_domain();
    assert_eq!(answer::nics(mutated), answer::nics(&expected));
    assert_eq!(answer::memory(mutated), answer::memory(&expected));
    assert_eq!(answer::overrides(mutated), answer::overrides(&expected));
}

/// Requirements 1, 7 and 10 of the framework: what KubeVirt's struct has lost is there again, in each of a boot's calls.
#[tokio::test]
async fn a_boot_through_the_pipeline_defines_what_the_legacy_hook_answers() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (sidecar, socket) = plugged(&pod).await;
        let pipeline = Pipeline { sidecars: &[sidecar.client()], plugins: &[&socket] };
        let calls = boot_through(machine(), DOMAIN, &pipeline, VMI.as_bytes()).await.unwrap();
        assert_eq!(calls.len(), 3);
        calls.iter().for_each(|call| same_as_legacy(&call.answer));
    })
    .await;
}

/// The counter-check: any `Plugin` object but ours, and libvirt refuses the domain.
#[tokio::test]
async fn without_our_plugin_the_pipeline_loses_the_path() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (sidecar, _) = plugged(&pod).await;
        let pipeline = Pipeline { sidecars: &[sidecar.client()], plugins: &[] };
        let defined = pipeline.define(DOMAIN, VMI.as_bytes()).await.unwrap();
        assert_eq!(defined.matches(r#"<source type="unix" mode="server"></source>"#).count(), 2);
        assert!(!defined.contains("vhost.sock"));
    })
    .await;
}

fn machine() -> Machine {
    Machine::new(Release::V1_8, placeholders_for(3))
}

/// The answer is discarded, so the links count.
#[tokio::test]
async fn a_migration_target_gets_its_links() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (sidecar, socket) = plugged(&pod).await;
        let pipeline = Pipeline { sidecars: &[sidecar.client()], plugins: &[&socket] };
        pipeline.migration_target(DOMAIN, VMI.as_bytes()).await.unwrap();
        assert_eq!(links(&pod.links()), answer::LINKS);
    })
    .await;
}

fn links(dir: &Path) -> [(&'static str, &'static str); 2] {
    let target = |name: &str| fs::read_link(dir.join(name)).unwrap().to_str().unwrap().to_owned();
    answer::LINKS.map(|(name, _)| (name, &*target(name).leak()))
}

/// Without hooks everything comes from the plugin framework, and the links are beside its socket.
#[tokio::test]
async fn without_hooks_the_links_are_in_the_plugins_directory() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (sidecar, socket) = without_hooks(&pod).await;
        let pipeline = Pipeline { sidecars: &[], plugins: &[&socket] };
        let calls = boot_through(machine(), DOMAIN, &pipeline, VMI.as_bytes()).await.unwrap();
        let dir = socket.parent().unwrap();
        let legacy = "/var/run/kubevirt-hooks/hook-sidecar-0";
        let expected = answer::to_domain().replace(legacy, dir.to_str().unwrap());
        assert_eq!(calls.len(), 3);
        for call in calls {
            assert_eq!(answer::nics(&call.answer), answer::nics(&expected));
            assert_eq!(answer::memory(&call.answer), answer::memory(&expected));
            assert_eq!(answer::overrides(&call.answer), answer::overrides(&expected));
        }
        assert_eq!(links(&dir.join("userdata")), answer::LINKS);
        assert_eq!(pod.files(), ["hook-sidecar-0"], "{}", sidecar.stderr());
    })
    .await;
}

#[tokio::test]
async fn without_hooks_and_volume_there_is_nothing_to_serve() {
    limited(async {
        let pod = Pod::new();
        let mut sidecar =
            pod.sidecar().flag("--plugin-socket=/not/mounted/v.sock").flag("--without-hooks").spawn();
        assert_eq!(sidecar.exit().await.0, Some(1));
        let text = "plugin directory /not/mounted does not exist: mount the volume kubevirt-plugin-sockets there, or serve \
                    without --without-hooks";
        assert_eq!(sidecar.find_all(text).len(), 1, "{}", sidecar.stderr());
    })
    .await;
}

/// The boot's cache is one: the plugin's call needs no file.
#[tokio::test]
async fn both_services_remember_the_same_boot() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (sidecar, socket) = plugged(&pod).await;
        let legacy = sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
        fs::remove_file(pod.network_info()).unwrap();
        same_as_legacy(&boot(&socket, &request_form(&legacy)).await.unwrap());
    })
    .await;
}

/// Requirement 8: another plugin's rendering of the override.
#[tokio::test]
async fn an_override_in_the_default_namespace_is_replaced() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (_sidecar, socket) = plugged(&pod).await;
        let first = boot(&socket, DOMAIN).await.unwrap();
        let chained = render(&first);
        assert!(chained.contains("<override xmlns="));
        let second = boot(&socket, &chained).await.unwrap();
        assert_eq!(second.matches("host_mtu").count(), 1, "{second}");
        assert_eq!(answer::nics(&second), answer::nics(&answer::to_domain()));
    })
    .await;
}

/// Requirement 2: without the volume there is no socket, and a stale one is replaced.
#[tokio::test]
async fn without_the_volume_there_is_no_socket() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let elsewhere = pod.volume().with_file_name("not-mounted").join("vhostuser.sock");
        let sidecar = pod.sidecar().flag(&flag(&elsewhere)).start().await;
        assert!(!elsewhere.parent().unwrap().exists());
        drop(sidecar);
    })
    .await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let socket = mounted(&pod);
        drop(UnixListener::bind(&socket).unwrap());
        let _sidecar = pod.sidecar().flag(&flag(&socket)).start().await;
        boot(&socket, DOMAIN).await.unwrap();
    })
    .await;
}

/// Requirement 5.
#[tokio::test]
async fn another_hypervisors_domain_is_refused() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (_sidecar, socket) = plugged(&pod).await;
        let error = mutate_domain(&socket, "mshv", DOMAIN, VMI, "Boot").await.unwrap_err();
        let text = "domain_type 'mshv': only 'libvirt' is served; use a sidecar release that supports this KubeVirt version";
        assert_eq!((error.code(), error.message()), (Code::InvalidArgument, text));
    })
    .await;
}

/// Requirement 6: on a target the answer is discarded, so only the links count. An unknown context is like `Boot`.
#[tokio::test]
async fn every_context_creates_the_links() {
    for context in ["MigrationTarget", "Boot", "SomethingNew", ""] {
        limited(async {
            let pod = Pod::with_network_info(Layout::PerSidecar);
            let (_sidecar, socket) = plugged(&pod).await;
            same_as_legacy(&mutate_domain(&socket, "libvirt", DOMAIN, VMI, context).await.unwrap());
            for (name, target) in answer::LINKS {
                assert_eq!(fs::read_link(pod.links().join(name)).unwrap().to_str(), Some(target));
            }
        })
        .await;
    }
}

/// Requirement 9: for cluster admins who forget the condition.
#[tokio::test]
async fn a_vm_without_a_nic_of_ours_is_given_back() {
    limited(async {
        let pod = Pod::new();
        let (_sidecar, socket) = plugged(&pod).await;
        let vmi = r#"{"spec":{"domain":{"devices":{"interfaces":[{"name":"default","masquerade":{}}]}}}}"#;
        let answer = mutate_domain(&socket, "libvirt", DOMAIN, vmi, "Boot").await.unwrap();
        assert_eq!(answer, DOMAIN);
    })
    .await;
}

/// Requirement 4: received, and refused by name.
#[tokio::test]
async fn a_large_request_is_received() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (_sidecar, socket) = plugged(&pod).await;
        let large = " ".repeat(15 << 20);
        let error = boot(&socket, &large).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains("15728640 bytes"), "{}", error.message());
    })
    .await;
}

/// Requirement 3: the launcher looks for this socket after the hook's, and its caller waits for 20 s in all.
#[tokio::test]
async fn it_listens_before_the_hook_socket_is_there() {
    limited(async {
        let pod = Pod::new();
        let (sidecar, socket) = plugged(&pod).await;
        let served =
            sidecar.events().into_iter().filter_map(|event| event["socket"].as_str().map(PathBuf::from));
        assert_eq!(served.collect::<Vec<_>>(), [socket, pod.socket()]);
    })
    .await;
}

/// A refusal is the legacy hook's, word for word.
#[tokio::test]
async fn refusals_are_the_legacy_hooks() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (sidecar, socket) = plugged(&pod).await;
        for domain in ["", "<domain>", "<network/>"] {
            let legacy = sidecar.client().on_define_domain(domain, VMI).await.unwrap_err();
            let plugin = boot(&socket, domain).await.unwrap_err();
            assert_eq!((plugin.code(), plugin.message()), (legacy.code(), legacy.message()));
        }
    })
    .await;
}
