//! A pod that is right, and the same with one thing broken: the finding's exact text.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
};

use tempfile::TempDir;

use super::{Places, check, examine, snapshot};
use vocabulary::{ComputePath, NetworkName};

const INFO: &str = r#"{"interfaces":[{"network":"net1","deviceInfo":{"type":"vhost-user","vhost-user":
    {"mode":"server","path":"/var/run/vhostuser/s-0/vhost.sock"}}},{"network":"default"}]}"#;

struct Pod {
    dir: TempDir,
    places: Places,
}

fn link_name() -> String {
    "net1".parse::<NetworkName>().unwrap().pod_interface()
}

impl Pod {
    /// A sidecar of KubeVirt 1.6 or later whose hook was called.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            hook_dir: dir.path().join("hooks"),
            compute_hook_dir: ComputePath::directory("/var/run/kubevirt-hooks").unwrap(),
            network_info: dir.path().join("network-info"),
            dra_dir: dir.path().join("claims"),
            container_name: Some("hook-sidecar-0".to_owned()),
        };
        fs::create_dir_all(places.hook_dir.join("userdata")).unwrap();
        fs::write(&places.network_info, INFO).unwrap();
        let pod = Self { dir, places };
        symlink("/var/run/vhostuser/s-0", pod.link()).unwrap();
        pod
    }

    /// Compute, with a link to a directory of the test's.
    fn compute() -> Self {
        let mut pod = Self::new();
        fs::remove_dir_all(&pod.places.hook_dir).unwrap();
        fs::remove_file(&pod.places.network_info).unwrap();
        pod.places.container_name = Some("compute".to_owned());
        let userdata = pod.places.hook_dir.join("hook-sidecar-0/userdata");
        fs::create_dir_all(&userdata).unwrap();
        fs::create_dir(pod.device()).unwrap();
        symlink(pod.device(), userdata.join(link_name())).unwrap();
        pod
    }

    fn device(&self) -> PathBuf {
        self.dir.path().join("device")
    }

    fn link(&self) -> PathBuf {
        self.places.hook_dir.join("userdata").join(link_name())
    }

    fn said(&self) -> (Vec<String>, Vec<String>) {
        let shown = |text: String| text.replace(self.dir.path().to_str().unwrap(), "T");
        let report = examine(&self.places);
        (
            report.facts.into_iter().map(shown).collect(),
            report.findings.iter().map(|finding| shown(finding.to_string())).collect(),
        )
    }
}

#[track_caller]
fn broken(breaks: impl FnOnce(&mut Pod), expected: &str) {
    let mut pod = Pod::new();
    breaks(&mut pod);
    assert_eq!(pod.said().1, [expected]);
}

#[test]
fn nothing_is_wrong_with_a_pod_that_is_right() {
    let network = "network net1: /var/run/vhostuser/s-0/vhost.sock, guest listens, switch connects";
    assert_eq!(Pod::new().said(), (vec!["this is hook-sidecar-0".to_owned(), network.to_owned()], vec![]));

    let mut old = Pod::new();
    old.places.container_name = None;
    fs::remove_dir_all(old.places.hook_dir.join("userdata")).unwrap();
    let facts = [
        "no CONTAINER_NAME: KubeVirt 1.5 or older, with one hook directory for all",
        "no hook call so far: the links are made by the first",
        network,
    ];
    assert_eq!(old.said(), (facts.map(str::to_owned).to_vec(), vec![]));

    let claims = Pod::new();
    fs::create_dir_all(claims.places.dra_dir.join("x")).unwrap();
    fs::remove_file(&claims.places.network_info).unwrap();
    let facts = ["this is hook-sidecar-0", "the VM's networks are DRA claims: no network-info"];
    assert_eq!(claims.said(), (facts.map(str::to_owned).to_vec(), vec![]));
}

#[test]
fn the_hook_directory() {
    let mut pod = Pod::new();
    pod.places.hook_dir = pod.dir.path().join("none");
    assert_eq!(
        pod.said().1,
        ["hook-dir-missing: the hook directory is missing: this is no container of a VM with a sidecar, or the volume is elsewhere
  where: T/none
  fix:   run this in the pod's container hook-sidecar-0, or name the directory with --hook-dir"]
    );
    // Root may write anywhere, so the look's result is given.
    let container = snapshot::Container::Compute(Vec::new());
    let seen = snapshot::Snapshot { hook_dir: "/hooks".into(), writable: Some(false), container };
    assert_eq!(
        check::check(&seen).findings[0].to_string(),
        "hook-dir-not-writable: the hook directory cannot be written to: the sidecar has no place for its socket and its links
  where: /hooks
  fix:   start it as the user that KubeVirt gives it (uid 107), without a securityContext of its own"
    );
}

#[test]
fn the_containers_name() {
    let mut pod = Pod::new();
    pod.places.container_name = Some("mine".to_owned());
    assert_eq!(
        pod.said().1,
        ["container-name: this is not a container name of KubeVirt's ('hook-sidecar-<N>'): the domain would name a directory that compute does not have
  where: CONTAINER_NAME = 'mine'
  fix:   take CONTAINER_NAME out of the image and its environment: KubeVirt 1.6 and later set it"]
    );
}

#[test]
fn network_info() {
    broken(
        |pod| fs::remove_file(&pod.places.network_info).unwrap(),
        "network-info-missing: network-info is missing: the VM's networks are not known
  where: T/network-info
  fix:   register the binding with downwardAPI: device-info (kubectl edit kubevirt -A) and start the VM anew",
    );
    for (text, problem) in [("", "is empty"), ("{", "is not complete JSON (line 1, column 1)")] {
        broken(
            |pod| fs::write(&pod.places.network_info, text).unwrap(),
            &format!(
                "network-info-unusable: network-info {problem}: the VM's networks are not known
  where: T/network-info
  fix:   wait for Multus; then: kubectl get pod <pod> -o jsonpath='{{.metadata.annotations}}' | grep network-info"
            ),
        );
    }
    broken(
        |pod| {
            fs::remove_file(&pod.places.network_info).unwrap();
            fs::create_dir(&pod.places.network_info).unwrap();
        },
        "network-info-unusable: network-info cannot be read: not a regular file; check the mount and its permissions in the sidecar: the VM's networks are not known
  where: T/network-info
  fix:   check the mount and its permissions in the sidecar: ls -l /etc/podinfo",
    );
}

#[test]
fn networks() {
    broken(
        |pod| fs::write(&pod.places.network_info, r#"{"interfaces":[{"network":"net1"}]}"#).unwrap(),
        "network-info-no-device: network-info lists no network with a vhost-user device: no NIC gets a socket
  where: T/network-info
  fix:   name the device plugin's resource in the NAD (annotation k8s.v1.cni.cncf.io/resourceName) and request it in the VM (spec.template.spec.domain.resources)",
    );
    broken(
        |pod| fs::write(&pod.places.network_info, INFO.replace(r#""path":"/"#, r#""path":""#)).unwrap(),
        "network-unusable: the network's device cannot be used: deviceInfo.vhost-user.path: path 'var/run/vhostuser/s-0/vhost.sock' is not absolute: the device plugin or driver must publish the socket's absolute path in the compute container
  where: T/network-info, network 'net1'
  fix:   correct its NAD, then start the VM anew: kubectl get net-attach-def -A -o yaml",
    );
    let (begin, end) = INFO.split_once(r#"{"network":"default"}"#).unwrap();
    let entry = begin.strip_prefix(r#"{"interfaces":["#).unwrap().trim_end_matches(',');
    broken(
        |pod| fs::write(&pod.places.network_info, format!("{begin}{entry}{end}")).unwrap(),
        "network-twice: the network is listed 2 times: each must have one socket
  where: T/network-info, network 'net1'
  fix:   give each network of the VM its own name",
    );
}

#[test]
fn paths_and_links() {
    let name = "x".repeat(60);
    broken(
        |pod| fs::write(&pod.places.network_info, INFO.replace("vhost.sock", &name)).unwrap(),
        &format!(
            "path-too-long: QEMU cannot use the socket's name behind the link: path '/var/run/kubevirt-hooks/hook-sidecar-0/userdata/{}/{name}' has 123 bytes, more than the 107 that a unix socket can have
  where: T/network-info, network 'net1', path = /var/run/vhostuser/s-0/{name}
  fix:   give the socket a shorter file name in the device plugin, such as vhost.sock",
            link_name()
        ),
    );
    let wrong = |target: &str| {
        format!(
            "link-wrong: the link of network 'net1' should lead to /var/run/vhostuser/s-0: QEMU finds no socket directory
  where: T/hooks/userdata/{} -> {target}
  fix:   look at the sidecar's log for what its hook call was refused: kubectl logs <pod> -c hook-sidecar-0",
            link_name()
        )
    };
    broken(|pod| fs::remove_file(pod.link()).unwrap(), &wrong("nothing"));
    broken(
        |pod| {
            fs::remove_file(pod.link()).unwrap();
            symlink("/elsewhere", pod.link()).unwrap();
        },
        &wrong("'/elsewhere'"),
    );
}

#[test]
fn in_compute() {
    let place = format!("T/hooks/hook-sidecar-0/userdata/{} -> 'T/device'", link_name());
    let facts = vec!["this is the compute container: 1 links".to_owned(), place.clone()];
    assert_eq!(Pod::compute().said(), (facts, vec![]));

    let pod = Pod::compute();
    fs::remove_dir(pod.device()).unwrap();
    let broken = format!(
        "link-broken: there is no such directory in compute: the pod has not got the device (QEMU: 'Failed to bind socket … No such file or directory')
  where: {place}
  fix:   request the NAD's resource in the VM, once for each NIC: kubectl get pod <pod> -o jsonpath='{{.spec.containers[*].resources}}'"
    );
    assert_eq!(pod.said().1, [broken]);
}

#[test]
fn in_compute_a_directory_of_another_user() {
    let path = PathBuf::from("/hooks/l");
    let link = snapshot::Link { path, target: "/d".to_owned(), behind: snapshot::Behind::ReadOnly };
    let container = snapshot::Container::Compute(vec![link]);
    let seen = snapshot::Snapshot { hook_dir: "/hooks".into(), writable: Some(true), container };
    assert_eq!(
        check::check(&seen).findings[0].to_string(),
        "link-not-writable: this user cannot write to the directory: where the guest listens, QEMU gets 'Permission denied'
  where: /hooks/l -> '/d'
  fix:   set sockets.owner of the device plugin to compute's user (uid 107); in mode 'client' this is as it should be"
    );
}

/// What a look at rights says, for a user who is not root.
#[test]
fn rights_are_asked_of_the_kernel() {
    let pod = Pod::new();
    fs::set_permissions(&pod.places.hook_dir, fs::Permissions::from_mode(0o500)).unwrap();
    let root = rustix::process::geteuid().is_root();
    assert_eq!(host_io::look::writable(&pod.places.hook_dir), root);
}
