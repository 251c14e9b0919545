//! The links: there when the answer is, and never at the cost of what somebody else put in their place.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
};

use tonic::Code;

use crate::{
    DOMAIN, NETWORK_INFO, VMI, answer,
    pod::Pod,
    sidecar::{Sidecar, limited},
};
use launcher_sim::Layout;

async fn refusal(sidecar: &Sidecar) -> (Code, String) {
    let status = sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap_err();
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn they_are_made_by_the_first_call_and_not_before() {
    limited(async {
        for layout in [Layout::Flat, Layout::PerSidecar] {
            let pod = Pod::with_network_info(layout);
            let sidecar = pod.sidecar().start().await;
            sidecar.client().info().await.unwrap();
            assert!(!pod.links().exists());
            sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
            for (name, target) in answer::LINKS {
                assert_eq!(fs::read_link(pod.links().join(name)).unwrap().to_str(), Some(target));
            }
            // Each directory on the way is one that any user may pass, as QEMU must.
            let mode = fs::metadata(pod.links()).unwrap().permissions().mode();
            assert_eq!(mode & 0o755, 0o755);
        }
    })
    .await;
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_led_back() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        fs::create_dir_all(pod.links()).unwrap();
        symlink("/var/run/old", pod.links().join(answer::LINKS[0].0)).unwrap();
        sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap();
        for (name, target) in answer::LINKS {
            assert_eq!(fs::read_link(pod.links().join(name)).unwrap().to_str(), Some(target));
        }
        assert_eq!(fs::read_dir(pod.links()).unwrap().count(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_is_taken_stays_taken() {
    let takers: [fn(&Path); 3] = [
        |path| fs::create_dir(path).unwrap(),
        |path| fs::write(path, "kept").unwrap(),
        |path| drop(UnixListener::bind(path).unwrap()),
    ];
    limited(async {
        for take in takers {
            let pod = Pod::with_network_info(Layout::PerSidecar);
            let sidecar = pod.sidecar().start().await;
            let path = pod.links().join(answer::LINKS[0].0);
            fs::create_dir_all(pod.links()).unwrap();
            take(&path);
            let before = fs::symlink_metadata(&path).unwrap().file_type();
            let text = format!(
                "link {}: the name is taken by something that is not a link of this sidecar: remove it from the pod's \
                 hook volume",
                path.display()
            );
            assert_eq!(refusal(&sidecar).await, (Code::AlreadyExists, text));
            assert_eq!(fs::symlink_metadata(&path).unwrap().file_type(), before);
            sidecar.client().info().await.unwrap();
        }
    })
    .await;
}

/// As root, the sidecar runs as KubeVirt's user 107; otherwise as whoever runs the test.
#[tokio::test]
async fn a_volume_that_became_read_only_is_told() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().with_kubevirts_user().start().await;
        fs::set_permissions(pod.hook_dir(0), fs::Permissions::from_mode(0o555)).unwrap();
        let text = format!(
            "link {}/userdata: Permission denied (os error 13): the sidecar must run as the user that KubeVirt \
             assigns (uid 107), who may write to its hook directory",
            pod.hook_dir(0).display()
        );
        assert_eq!(refusal(&sidecar).await, (Code::PermissionDenied, text));

        fs::set_permissions(pod.hook_dir(0), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
    })
    .await;
}

/// Whichever of a pod's sidecars a migrated domain names, its directory must serve all networks.
#[tokio::test]
async fn networks_of_other_sidecars_get_links_as_far_as_they_are_usable() {
    limited(async {
        let pod = Pod::new();
        let device = |path: &str| format!(r#""deviceInfo":{{"type":"vhost-user","vhost-user":{{"path":"{path}"}}}}"#);
        let others = format!(
            r#"{{"interfaces": [{{"network":"other",{}}}, {{"network":"bad",{}}}, {{"network":"pci","deviceInfo":{{"type":"pci"}}}}, "#,
            device("/var/run/vhost-user/other/vhost.sock"),
            device("../vhost.sock")
        );
        pod.write_network_info(&NETWORK_INFO.replacen(r#"{"interfaces": ["#, &others, 1));
        let sidecar = pod.sidecar().start().await;
        assert_eq!(sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
        let mut links: Vec<_> = fs::read_dir(pod.links())
            .unwrap()
            .map(|entry| fs::read_link(entry.unwrap().path()).unwrap().display().to_string())
            .collect();
        links.sort();
        assert_eq!(
            links,
            ["/var/run/vhost-user/54ed0871", "/var/run/vhost-user/d331da48", "/var/run/vhost-user/other"]
        );
    })
    .await;
}

/// A courtesy to another sidecar is no reason to refuse a VM.
#[tokio::test]
async fn a_taken_name_of_another_sidecars_network_is_only_told() {
    limited(async {
        let pod = Pod::new();
        let other = r#"{"interfaces": [{"network":"other","deviceInfo":{"type":"vhost-user","vhost-user":{"path":"/run/o/vhost.sock"}}}, "#;
        pod.write_network_info(&NETWORK_INFO.replacen(r#"{"interfaces": ["#, other, 1));
        let sidecar = pod.sidecar().start().await;
        fs::create_dir_all(pod.links().join("podd9298a10d1b")).unwrap();
        assert_eq!(sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
        assert_eq!(fs::read_dir(pod.links()).unwrap().count(), 3);
        let warnings = sidecar.find_all("no link for another sidecar's network");
        assert_eq!(warnings.len(), 1);
        assert_eq!(
            warnings[0]["error"],
            format!(
                "link {}/podd9298a10d1b: the name is taken by something that is not a link of this sidecar: remove it \
                 from the pod's hook volume",
                pod.links().display()
            )
        );
    })
    .await;
}

/// Refused before anything is made, whichever NIC it is.
#[tokio::test]
async fn a_socket_path_that_leads_astray_makes_no_link() {
    limited(async {
        for (path, problem) in [
            ("/var/run/../etc/vhost.sock", "path '/var/run/../etc/vhost.sock' contains '..'"),
            ("vhost.sock", "path 'vhost.sock' is not absolute"),
            (r"/var/run/a\nb/vhost.sock", r"path '/var/run/a\nb/vhost.sock' contains a control character"),
        ] {
            let pod = Pod::new();
            pod.write_network_info(&NETWORK_INFO.replacen("/var/run/vhost-user/d331da48/vhost.sock", path, 1));
            let sidecar = pod.sidecar().start().await;
            let text = format!(
                "network 'dpdk1': {}: deviceInfo.vhost-user.path: {problem}: the device plugin or driver must publish \
                 the socket's absolute path in the compute container",
                pod.network_info().display()
            );
            assert_eq!(refusal(&sidecar).await, (Code::FailedPrecondition, text));
            assert_eq!(pod.files(), ["hook-sidecar-0", "hook-sidecar-0/vhostuser-hook-sidecar-0.sock"]);
        }
    })
    .await;
}
