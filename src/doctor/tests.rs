//! A correct pod, and the same with one thing broken: the finding's exact text.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::PathBuf,
};

use expect_test::expect;
use tempfile::TempDir;

use super::{PodArgs, check, examine, snapshot};
use crate::config::{HookDirs, PluginSocket, SourceArgs};
use findings::Report;
use vocabulary::{ComputePath, NetworkName};

const INFO: &str = r#"{"interfaces":[{"network":"net1","deviceInfo":{"type":"vhost-user","vhost-user":
    {"mode":"server","path":"/var/run/vhostuser/s-0/vhost.sock"}}},{"network":"default"}]}"#;

struct Pod {
    dir: TempDir,
    args: PodArgs,
}

fn link_name() -> String {
    "net1".parse::<NetworkName>().unwrap().pod_interface()
}

impl Pod {
    /// A sidecar of KubeVirt 1.6 or later whose hook was called.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hook_dirs = HookDirs {
            hook_dir: dir.path().join("hooks"),
            compute_hook_dir: ComputePath::directory("/var/run/kubevirt-hooks").unwrap(),
            plugin_socket: PluginSocket::parse(&format!("{}/plugin/v.sock", dir.path().display())).unwrap(),
            without_hooks: false,
        };
        let sources =
            SourceArgs { network_info: dir.path().join("network-info"), dra_dir: dir.path().join("claims") };
        let args = PodArgs { hook_dirs, sources, container_name: "hook-sidecar-0".to_owned(), json: false };
        fs::create_dir_all(args.hook_dirs.hook_dir.join("userdata")).unwrap();
        fs::write(&args.sources.network_info, INFO).unwrap();
        let pod = Self { dir, args };
        symlink("/var/run/vhostuser/s-0", pod.link()).unwrap();
        pod
    }

    /// Compute, with a link to a directory of the test's.
    fn compute() -> Self {
        let mut pod = Self::new();
        fs::remove_dir_all(&pod.args.hook_dirs.hook_dir).unwrap();
        fs::remove_file(&pod.args.sources.network_info).unwrap();
        pod.args.container_name = "compute".to_owned();
        let userdata = pod.args.hook_dirs.hook_dir.join("hook-sidecar-0/userdata");
        fs::create_dir_all(&userdata).unwrap();
        fs::create_dir(pod.device()).unwrap();
        symlink(pod.device(), userdata.join(link_name())).unwrap();
        pod
    }

    fn device(&self) -> PathBuf {
        self.dir.path().join("device")
    }

    fn link(&self) -> PathBuf {
        self.args.hook_dirs.hook_dir.join("userdata").join(link_name())
    }

    /// Facts, but for that of the plugin framework, and findings.
    fn said(&self) -> (Vec<String>, Vec<String>) {
        let shown = |text: String| text.replace(self.dir.path().to_str().unwrap(), "T");
        let mut report = examine(&self.args);
        report.facts.retain(|fact| !fact.contains("plugin framework"));
        (
            report.facts.into_iter().map(shown).collect(),
            report.findings.iter().map(|finding| shown(finding.to_string())).collect(),
        )
    }
}

/// The only finding, with the link's name as `LINK`.
fn broken(breaks: impl FnOnce(&mut Pod)) -> String {
    let mut pod = Pod::new();
    breaks(&mut pod);
    let (_, findings) = pod.said();
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings[0].replace(&link_name(), "LINK")
}

/// network-info lists the SR-IOV NIC's device only: the vhost-user NICs are claims.
#[test]
fn claims_beside_an_sriov_nic_are_right() {
    let pod = Pod::new();
    let info = r#"{"interfaces":[{"network":"fast","deviceInfo":{"type":"pci"}}]}"#;
    fs::write(&pod.args.sources.network_info, info).unwrap();
    fs::create_dir_all(pod.args.sources.dra_dir.join("resourceclaims")).unwrap();
    assert_eq!(pod.said().1, Vec::<String>::new());
}

#[test]
fn nothing_is_wrong_with_a_pod_that_is_right() {
    let network = "network net1: /var/run/vhostuser/s-0/vhost.sock, guest listens, switch connects";
    assert_eq!(Pod::new().said(), (vec!["this is hook-sidecar-0".to_owned(), network.to_owned()], vec![]));

    let mut old = Pod::new();
    old.args.container_name = String::new();
    fs::remove_dir_all(old.args.hook_dirs.hook_dir.join("userdata")).unwrap();
    let facts = [
        "no CONTAINER_NAME: KubeVirt 1.5 or older, with one hook directory for all sidecars",
        "no hook call yet: the first one creates the links",
        network,
    ];
    assert_eq!(old.said(), (facts.map(str::to_owned).to_vec(), vec![]));

    let claims = Pod::new();
    fs::create_dir_all(claims.args.sources.dra_dir.join("x")).unwrap();
    fs::remove_file(&claims.args.sources.network_info).unwrap();
    let facts = ["this is hook-sidecar-0", "the VM's networks are DRA claims: no network-info"];
    assert_eq!(claims.said(), (facts.map(str::to_owned).to_vec(), vec![]));
}

#[test]
fn the_hook_directory() {
    expect![[r#"
        hook-dir-missing: the hook directory is missing: this is not a container of a VM with a sidecar, or the volume is elsewhere
          where: T/none
          fix:   run this in the pod's container hook-sidecar-0, or pass the directory with --hook-dir"#]].assert_eq(&broken(|pod| pod.args.hook_dirs.hook_dir = pod.dir.path().join("none")));
    // Root may write anywhere, so the result is given.
    let container = snapshot::Container::Compute(Vec::new());
    let plugin = snapshot::Plugin::NotMounted;
    let seen = snapshot::Snapshot { hook_dir: "/hooks".into(), writable: Some(false), plugin, container };
    expect![[r#"
        hook-dir-not-writable: the hook directory is not writable: the sidecar cannot create its socket and its links
          where: /hooks
          fix:   run it as the user that KubeVirt assigns (uid 107), without its own securityContext"#]].assert_eq(&check::check(&seen).findings[0].to_string());
}

#[test]
fn the_containers_name() {
    let mut pod = Pod::new();
    pod.args.container_name = "mine".to_owned();
    expect![[r#"
        container-name: not a KubeVirt sidecar name ('hook-sidecar-<N>'): the domain would name a directory that compute does not have
          where: CONTAINER_NAME = 'mine'
          fix:   remove CONTAINER_NAME from the image and its environment: KubeVirt 1.6 and later set it"#]].assert_eq(&pod.said().1[0]);
}

#[test]
fn network_info() {
    expect![[r#"
        network-info-missing: network-info is missing: the VM's networks are unknown
          where: T/network-info
          fix:   register the binding with downwardAPI: device-info (kubectl edit kubevirt -A) and restart the VM"#]].assert_eq(&broken(|pod| fs::remove_file(&pod.args.sources.network_info).unwrap()));
    expect![[r#"
        network-info-unusable: network-info is empty: the VM's networks are unknown
          where: T/network-info
          fix:   wait for Multus; then: kubectl get pod <pod> -o jsonpath='{.metadata.annotations}' | grep network-info"#]].assert_eq(&broken(|pod| fs::write(&pod.args.sources.network_info, "").unwrap()));
    expect![[r#"
        network-info-unusable: network-info is not complete JSON (line 1, column 1): the VM's networks are unknown
          where: T/network-info
          fix:   wait for Multus; then: kubectl get pod <pod> -o jsonpath='{.metadata.annotations}' | grep network-info"#]].assert_eq(&broken(|pod| fs::write(&pod.args.sources.network_info, "{").unwrap()));
    expect![[r#"
        network-info-unusable: network-info cannot be read: not a regular file; check the mount and its permissions in the sidecar: the VM's networks are unknown
          where: T/network-info
          fix:   check the mount and its permissions in the sidecar: ls -l /etc/podinfo"#]].assert_eq(&broken(|pod| {
        fs::remove_file(&pod.args.sources.network_info).unwrap();
        fs::create_dir(&pod.args.sources.network_info).unwrap();
    }));
}

#[test]
fn networks() {
    let with = |info: &str| broken(|pod| fs::write(&pod.args.sources.network_info, info).unwrap());
    expect![[r#"
        network-info-no-device: network-info lists no network with a vhost-user device: no NIC gets a socket
          where: T/network-info
          fix:   name the device plugin's resource in the NAD (annotation k8s.v1.cni.cncf.io/resourceName) and request it in the VM (spec.template.spec.domain.resources)"#]].assert_eq(&with(r#"{"interfaces":[{"network":"net1"}]}"#));
    expect![[r#"
        network-unusable: the network's device is unusable: deviceInfo.vhost-user.path: path 'var/run/vhostuser/s-0/vhost.sock' is not absolute: the device plugin or driver must publish the socket's absolute path in the compute container
          where: T/network-info, network 'net1'
          fix:   correct its NAD, then restart the VM: kubectl get net-attach-def -A -o yaml"#]].assert_eq(&with(&INFO.replace(r#""path":"/"#, r#""path":""#)));
    let (begin, end) = INFO.split_once(r#"{"network":"default"}"#).unwrap();
    let entry = begin.strip_prefix(r#"{"interfaces":["#).unwrap().trim_end_matches(',');
    expect![[r#"
        network-twice: the network is listed 2 times: each needs one socket
          where: T/network-info, network 'net1'
          fix:   give each network of the VM its own name"#]]
    .assert_eq(&with(&format!("{begin}{entry}{end}")));
}

#[test]
fn paths_and_links() {
    let long = INFO.replace("vhost.sock", &"x".repeat(60));
    expect![[r#"
        path-too-long: QEMU cannot use the socket's path through the link: path '/var/run/kubevirt-hooks/hook-sidecar-0/userdata/LINK/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' has 123 bytes, more than the 107 of a unix socket
          where: T/network-info, network 'net1', path = /var/run/vhostuser/s-0/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
          fix:   give the socket a shorter file name in the device plugin, such as vhost.sock"#]].assert_eq(&broken(|pod| fs::write(&pod.args.sources.network_info, long).unwrap()));
    expect![[r#"
        link-wrong: the link of network 'net1' should point to /var/run/vhostuser/s-0: QEMU finds no socket directory
          where: T/hooks/userdata/LINK -> nothing
          fix:   find in the sidecar's log why it refused the call: kubectl logs <pod> -c hook-sidecar-0"#]].assert_eq(&broken(|pod| fs::remove_file(pod.link()).unwrap()));
    expect![[r#"
        link-wrong: the link of network 'net1' should point to /var/run/vhostuser/s-0: QEMU finds no socket directory
          where: T/hooks/userdata/LINK -> '/elsewhere'
          fix:   find in the sidecar's log why it refused the call: kubectl logs <pod> -c hook-sidecar-0"#]].assert_eq(&broken(|pod| {
        fs::remove_file(pod.link()).unwrap();
        symlink("/elsewhere", pod.link()).unwrap();
    }));
}

#[test]
fn in_compute() {
    let place = format!("T/hooks/hook-sidecar-0/userdata/{} -> 'T/device'", link_name());
    let facts = vec!["this is the compute container: 1 links".to_owned(), place];
    assert_eq!(Pod::compute().said(), (facts, vec![]));

    let pod = Pod::compute();
    fs::remove_dir(pod.device()).unwrap();
    expect![[r#"
        link-broken: there is no such directory in compute: the pod does not have the device (QEMU: 'Failed to bind socket … No such file or directory')
          where: T/hooks/hook-sidecar-0/userdata/LINK -> 'T/device'
          fix:   request the NAD's resource in the VM, once for each NIC: kubectl get pod <pod> -o jsonpath='{.spec.containers[*].resources}'"#]].assert_eq(&pod.said().1[0].replace(&link_name(), "LINK"));
}

/// Of a sidecar without hooks, whose links are beside the plugin's socket.
#[test]
fn in_compute_without_hooks() {
    let pod = Pod::compute();
    let plugin = pod.args.hook_dirs.plugin_socket.dir().join("userdata");
    fs::create_dir_all(&plugin).unwrap();
    symlink(pod.dir.path().join("nothing"), plugin.join(link_name())).unwrap();
    let broken: Vec<_> = pod.said().1.into_iter().filter(|text| text.starts_with("link-broken")).collect();
    assert_eq!(broken.len(), 1);
    let place = format!("where: T/plugin/userdata/{} -> 'T/nothing'", link_name());
    assert!(broken[0].contains(&place), "{}", broken[0]);
}

#[test]
fn in_compute_a_directory_of_another_user() {
    let path = PathBuf::from("/hooks/l");
    let link = snapshot::Link { path, target: "/d".to_owned(), behind: snapshot::Behind::ReadOnly };
    let container = snapshot::Container::Compute(vec![link]);
    let plugin = snapshot::Plugin::NotMounted;
    let seen = snapshot::Snapshot { hook_dir: "/hooks".into(), writable: Some(true), plugin, container };
    expect![[r#"
        link-not-writable: this user cannot write to the directory: where the guest listens, QEMU gets 'Permission denied'
          where: /hooks/l -> '/d'
          fix:   set sockets.owner of the device plugin to compute's user (uid 107); in mode 'client' this is correct"#]].assert_eq(&check::check(&seen).findings[0].to_string());
}

/// For a user who is not root.
#[test]
fn rights_are_asked_of_the_kernel() {
    let pod = Pod::new();
    fs::set_permissions(&pod.args.hook_dirs.hook_dir, fs::Permissions::from_mode(0o500)).unwrap();
    let root = rustix::process::geteuid().is_root();
    assert_eq!(host_io::look::writable(&pod.args.hook_dirs.hook_dir), root);
}

/// Facts and findings about the plugin framework.
fn plugin(pod: &Pod) -> String {
    let Report { facts, findings } = examine(&pod.args);
    let facts = facts.into_iter().filter(|fact| fact.contains("plugin framework"));
    let said: Vec<_> = facts.chain(findings.iter().map(ToString::to_string)).collect();
    said.join("\n").replace(pod.dir.path().to_str().unwrap(), "T")
}

#[test]
fn the_plugin_framework() {
    let pod = Pod::new();
    expect![[r#"KubeVirt's plugin framework is not served here. If the VMI says "Missing required attribute 'path' in element 'source'", the cluster has a Plugin object: apply manifests/plugin/legacy-sidecar, then restart the VM"#]].assert_eq(&plugin(&pod));
    fs::create_dir(pod.args.hook_dirs.plugin_socket.dir()).unwrap();
    expect![[r#"
        plugin-socket-missing: the directory is mounted and the socket is missing: virt-launcher waits 30 s for it and refuses the VM
          where: T/plugin/v.sock
          fix:   use the same file name in the Plugin object's socketPath and in the sidecar's VHOSTUSER_PLUGIN_SOCKET; if it is the same, update the sidecar's image"#]].assert_eq(&plugin(&pod));
    let path = pod.args.hook_dirs.plugin_socket.path();
    fs::write(path, "").unwrap();
    assert!(plugin(&pod).starts_with("plugin-socket-missing: "), "{}", plugin(&pod));
    fs::remove_file(path).unwrap();
    let _listener = UnixListener::bind(path).unwrap();
    expect!["KubeVirt's plugin framework is served: T/plugin/v.sock; the Plugin object must name this path"]
        .assert_eq(&plugin(&pod));
}

/// Without hooks the links are beside the plugin's socket.
#[test]
fn a_sidecar_without_hooks() {
    let mut pod = Pod::new();
    pod.args.container_name = String::new();
    pod.args.hook_dirs.without_hooks = true;
    fs::rename(&pod.args.hook_dirs.hook_dir, pod.args.hook_dirs.plugin_socket.dir()).unwrap();
    let _listener = UnixListener::bind(pod.args.hook_dirs.plugin_socket.path()).unwrap();
    let facts = [
        "no hooks: only the plugin framework is served",
        "network net1: /var/run/vhostuser/s-0/vhost.sock, guest listens, switch connects",
        "KubeVirt's plugin framework is served: T/plugin/v.sock; the Plugin object must name this path",
    ];
    let report = examine(&pod.args);
    let shown = |text: String| text.replace(pod.dir.path().to_str().unwrap(), "T");
    assert_eq!(report.findings, vec![]);
    assert_eq!(report.facts.into_iter().map(shown).collect::<Vec<_>>(), facts.map(str::to_owned));
}
