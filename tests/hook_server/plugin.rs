//! KubeVirt's plugin framework: the same process answers `MutateDomain` as it answers `OnDefineDomain`.

use std::{
    fs,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
};

use launcher_sim::{
    Layout,
    plugin::{chained_form, mutate_domain, request_form},
};
use tonic::{Code, Status};

use crate::{
    DOMAIN, VMI, answer,
    pod::Pod,
    sidecar::{Sidecar, limited},
};

/// A sidecar to which a cluster admin's policy has given the plugin's volume, and its socket there.
async fn plugged(pod: &Pod) -> (Sidecar, PathBuf) {
    let socket = pod.volume().with_file_name("plugin").join("vhostuser.sock");
    fs::create_dir(socket.parent().unwrap()).unwrap();
    let flag = format!("--plugin-socket={}", socket.display());
    (pod.sidecar().flag(&flag).start().await, socket)
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

/// Requirements 1, 7 and 10 of the framework: what KubeVirt's struct has lost is there again, and both services agree.
#[tokio::test]
async fn what_the_struct_lost_is_there_again() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let (sidecar, socket) = plugged(&pod).await;
        let mut given = DOMAIN.to_owned();
        for _ in 0..3 {
            let legacy = sidecar.client().on_define_domain(given.as_str(), VMI).await.unwrap();
            let request = request_form(&legacy);
            assert!(!request.contains("vhost.sock") && request.contains("<source type=\"unix\" mode="));
            let mutated = boot(&socket, &request).await.unwrap();
            same_as_legacy(&mutated);
            given = launcher_sim::reduce(&mutated);
        }
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
        let chained = chained_form(&first);
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
        let flag = format!("--plugin-socket={}", elsewhere.display());
        let sidecar = pod.sidecar().flag(&flag).start().await;
        assert!(!elsewhere.parent().unwrap().exists());
        drop(sidecar);
    })
    .await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let socket = pod.volume().with_file_name("plugin").join("vhostuser.sock");
        fs::create_dir(socket.parent().unwrap()).unwrap();
        drop(UnixListener::bind(&socket).unwrap());
        let flag = format!("--plugin-socket={}", socket.display());
        let _sidecar = pod.sidecar().flag(&flag).start().await;
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
        let text = "domain_type 'mshv': only 'libvirt' is served; use a sidecar that fits this KubeVirt";
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
