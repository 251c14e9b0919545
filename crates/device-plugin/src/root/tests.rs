mod tenants;

use std::os::unix::{
    fs::{MetadataExt, PermissionsExt, symlink},
    net::UnixListener,
};

use super::*;
use crate::{config::Limits, own_mounts::inside};
use node::socketdir::{Access, Owner};
use vocabulary::ComputePath;

const QEMU: Owner = Owner { uid: 107, gid: 107 };

fn settings(switch_user: Option<u32>) -> Config {
    let sockets = Sockets {
        host_root: "/run/vhostuser".parse().unwrap(),
        container_root: ComputePath::directory("/var/run/vhostuser").unwrap(),
        access: Access { owner: QEMU, mode: 0o770, switch_user },
        label: Some("system_u:object_r:container_file_t:s0".parse().unwrap()),
        limits: Limits { bytes: 8192, files: 6 },
    };
    let domain = "a.b".parse().unwrap();
    Config { domain, sockets, switches: Vec::new(), resources: Vec::new(), dataplane: None }
}

fn id(text: &str) -> DeviceId {
    text.parse().unwrap()
}

/// The options of each mount at or below the root.
fn mounts() -> Vec<(String, String)> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let fields = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    fields
        .filter(|f| f[4].starts_with("/run/vhostuser"))
        .map(|f| (f[4].to_owned(), f[5].to_owned()))
        .collect()
}

fn entries(path: &str) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_root_is_a_mount_of_its_own() {
    if !inside("root::tests::the_root_is_a_mount_of_its_own") {
        return;
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    root.ensure(&id("listening-0"), SocketMode::Client).unwrap();
    let hard = "rw,nosuid,nodev,noexec,relatime,nosymfollow";
    let expected = [("/run/vhostuser", hard), ("/run/vhostuser/sockets-0", hard)];
    let expected: Vec<_> = expected.map(|(path, options)| (path.to_owned(), options.to_owned())).into();
    assert_eq!(mounts(), expected);
    assert_eq!(entries("/run/vhostuser"), [".vhostuser-device-plugin", "listening-0", "sockets-0"]);
    let rights = |path: &str| {
        let meta = fs::metadata(path).unwrap();
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    for (path, expected) in [
        ("/run/vhostuser", (0, 0, 0o711)),
        ("/run/vhostuser/sockets-0", (0, 0, 0o711)),
        ("/run/vhostuser/sockets-0/pod", (107, 107, 0o770)),
        ("/run/vhostuser/listening-0", (0, 0, 0o711)),
        ("/run/vhostuser/listening-0/pod", (0, 107, 0o750)),
    ] {
        assert_eq!(rights(path), expected, "{path}");
    }

    // Again, as after a restart: nothing is mounted twice, and nothing in use is touched.
    fs::write("/run/vhostuser/sockets-0/pod/vhost.sock", "in use").unwrap();
    fs::set_permissions("/run/vhostuser/sockets-0/pod", fs::Permissions::from_mode(0o700)).unwrap();
    drop(root);
    let mut changed = settings(None);
    changed.sockets.limits = Limits { bytes: 16384, files: 20 };
    let root = SocketRoot::prepare(&changed).unwrap();
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    assert_eq!(mounts(), expected);
    assert_eq!(rights("/run/vhostuser/sockets-0/pod"), (107, 107, 0o700));
    assert_eq!(fs::read_to_string("/run/vhostuser/sockets-0/pod/vhost.sock").unwrap(), "in use");
    let limits = rustix::fs::statvfs("/run/vhostuser/sockets-0").unwrap();
    assert_eq!((limits.f_blocks * limits.f_frsize, limits.f_files), (16384, 24));

    // A root that somebody else works in.
    assert_eq!(
        SocketRoot::prepare(&settings(None)).unwrap_err().to_string(),
        "socket root /run/vhostuser: in use by another device plugin: stop it first"
    );

    // Offered no more.
    assert_eq!(root.devices().unwrap().len(), 2);
    root.remove(&id("sockets-0")).unwrap();
    root.remove(&id("listening-0")).unwrap();
    assert_eq!(root.devices().unwrap(), []);
    assert_eq!(mounts(), expected[..1]);
}

/// The node's own namespace, when this program runs in a container's: it must have the mounts, and as they are here.
#[test]
fn other_namespaces_have_the_mounts_as_hard() {
    if !inside("root::tests::other_namespaces_have_the_mounts_as_hard") {
        return;
    }
    let mut node = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "unchanged", "sleep", "60"])
        .spawn()
        .unwrap();
    let table = format!("/proc/{}/mountinfo", node.id());
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read_link(format!("/proc/{}/ns/mnt", node.id())).unwrap() == own {
        assert!(Instant::now() < deadline, "no namespace of its own");
        sleep(Duration::from_millis(5));
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    let seen = fs::read_to_string(table).unwrap();
    for path in ["/run/vhostuser", "/run/vhostuser/sockets-0"] {
        let at: Vec<_> = seen.lines().filter(|line| line.split(' ').nth(4) == Some(path)).collect();
        assert_eq!(at.len(), 1, "{path}: {seen}");
        assert!(at[0].contains(" rw,nosuid,nodev,noexec,relatime,nosymfollow "), "{}", at[0]);
    }
    node.kill().unwrap();
    node.wait().unwrap();
}

/// All of them at once, each waiting for the one before: the root is mounted once.
#[test]
fn instances_take_turns() {
    if !inside("root::tests::instances_take_turns") {
        return;
    }
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let root = SocketRoot::prepare(&settings(None)).unwrap();
                root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
            });
        }
    });
    let paths: Vec<_> = mounts().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/run/vhostuser", "/run/vhostuser/sockets-0"]);
}

#[test]
fn a_directory_is_handed_over_empty_and_to_its_owner() {
    if !inside("root::tests::a_directory_is_handed_over_empty_and_to_its_owner") {
        return;
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    let dir = Path::new("/run/vhostuser/sockets-0/pod");
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    assert_eq!(root.hand_over(&id("sockets-0"), SocketMode::Server).unwrap(), 0);
    fs::write("/run/victim", "kept").unwrap();
    fs::create_dir(dir.join("a")).unwrap();
    symlink("/run/victim", dir.join("vhost.sock")).unwrap();
    symlink("/run", dir.join("a/run")).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(0o007)).unwrap();
    std::os::unix::fs::chown(dir, Some(0), Some(0)).unwrap();
    assert_eq!(root.hand_over(&id("sockets-0"), SocketMode::Server).unwrap(), 3);
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    assert_eq!(entries("/run/vhostuser/sockets-0"), ["pod"]);
    let meta = fs::metadata(dir).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (107, 107, 0o770));
    assert_eq!(fs::read_to_string("/run/victim").unwrap(), "kept");
    let mut label = [0; 64];
    let length = rustix::fs::getxattr(dir, "security.selinux", &mut label[..]).unwrap();
    assert_eq!(&label[..length], b"system_u:object_r:container_file_t:s0\0");
}

/// By an open directory that it kept, and could have passed to another pod of its own.
#[test]
fn the_pod_before_holds_nothing_of_the_next() {
    if !inside("root::tests::the_pod_before_holds_nothing_of_the_next") {
        return;
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    for (name, mode) in [("sockets-0", SocketMode::Server), ("listening-0", SocketMode::Client)] {
        root.ensure(&id(name), mode).unwrap();
        // As its container has it.
        let mounted = Path::new("/mnt").join(name);
        fs::create_dir(&mounted).unwrap();
        rustix::mount::mount_bind(Path::new("/run/vhostuser").join(name).join("pod"), &mounted).unwrap();
        let kept = open_trusted(&mounted).unwrap();
        mounts::unmount(&mounted, UnmountFlags::DETACH).unwrap();
        root.hand_over(&id(name), mode).unwrap();
        let _next = UnixListener::bind(format!("/run/vhostuser/{name}/pod/vhost.sock")).unwrap();
        assert_eq!(list(&kept).unwrap(), [""; 0], "{name}");
        assert_eq!(stat_in(&kept, "vhost.sock"), Err(Errno::NOENT), "{name}");
        assert_eq!(mkdirat(&kept, "x", Mode::from_raw_mode(0o700)), Err(Errno::NOENT), "{name}");
        assert_eq!(stat_in(&kept, "../pod/vhost.sock"), Err(Errno::NOENT), "{name}");
    }
}

fn stat_in(dir: &OwnedFd, name: &str) -> Result<(), Errno> {
    rustix::fs::statat(dir, name, AtFlags::empty()).map(drop)
}

/// What a privileged pod made so that it cannot be removed, and what it mounted.
#[test]
fn what_cannot_be_removed_is_put_aside() {
    if !inside("root::tests::what_cannot_be_removed_is_put_aside") {
        return;
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    fs::create_dir("/run/precious").unwrap();
    fs::write("/run/precious/file", "kept").unwrap();
    fs::create_dir("/run/vhostuser/sockets-0/pod/m").unwrap();
    rustix::mount::mount_bind("/run/precious", "/run/vhostuser/sockets-0/pod/m").unwrap();
    assert_eq!(root.hand_over(&id("sockets-0"), SocketMode::Server).unwrap(), 0);
    assert_eq!(fs::read_to_string("/run/precious/file").unwrap(), "kept");
    assert_eq!(entries("/run/vhostuser/sockets-0/pod"), [""; 0]);
    assert_eq!(entries("/run/vhostuser/sockets-0").len(), 2);
}

#[test]
fn a_killed_process_leaves_nothing_half_done() {
    if !inside("root::tests::a_killed_process_leaves_nothing_half_done") {
        return;
    }
    let root = SocketRoot::prepare(&settings(Some(998))).unwrap();
    let at = |name: &str| Path::new("/run/vhostuser").join(name);
    // Killed after each step: the directory, the mount, a pod's directory that is not ready, one that is put aside.
    fs::create_dir(at("sockets-0")).unwrap();
    for name in ["sockets-1", "sockets-2", "sockets-3"] {
        fs::create_dir(at(name)).unwrap();
        mounts::small(&at(name), settings(None).sockets.limits).unwrap();
    }
    fs::create_dir(at("sockets-2/.vhostuser-00000001")).unwrap();
    fs::create_dir(at("sockets-3/.vhostuser-00000002")).unwrap();
    fs::write(at("sockets-3/.vhostuser-00000002/old"), "").unwrap();
    fs::create_dir(at("listening-0")).unwrap();
    for (name, mode) in [
        ("sockets-0", SocketMode::Server),
        ("sockets-1", SocketMode::Server),
        ("sockets-2", SocketMode::Server),
        ("sockets-3", SocketMode::Server),
        ("listening-0", SocketMode::Client),
    ] {
        root.ensure(&id(name), mode).unwrap();
        let meta = fs::metadata(at(name).join("pod")).unwrap();
        let (uid, bits) = if mode == SocketMode::Server { (107, 0o770) } else { (0, 0o750) };
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (uid, bits), "{name}");
        assert_eq!(is_mount(&root.fd, name).unwrap(), mode == SocketMode::Server, "{name}");
        root.hand_over(&id(name), mode).unwrap();
        assert_eq!(entries(at(name).to_str().unwrap()), ["pod"]);
    }
    // Killed before the root was mounted, and between the mount and its options.
    for name in ["sockets-0", "sockets-1", "sockets-2", "sockets-3", "listening-0"] {
        root.remove(&id(name)).unwrap();
    }
    drop(root);
    mounts::unmount(Path::new("/run/vhostuser"), UnmountFlags::DETACH).unwrap();
    rustix::mount::mount_bind("/run/vhostuser", "/run/vhostuser").unwrap();
    fs::remove_file("/run/vhostuser/.vhostuser-device-plugin").unwrap();
    fs::write("/run/vhostuser/.vhostuser-0badcafe", "").unwrap();
    // What a container runtime makes for a mount that came too early.
    fs::create_dir("/run/vhostuser/sockets-0").unwrap();
    let _root = SocketRoot::prepare(&settings(None)).unwrap();
    assert!(mounts()[0].1.ends_with("nosymfollow"));
    assert_eq!(mounts().len(), 1);
}

#[test]
fn only_a_directory_of_its_own_is_taken() {
    if !inside("root::tests::only_a_directory_of_its_own_is_taken") {
        return;
    }
    fs::create_dir("/run/vhostuser").unwrap();
    fs::write("/run/vhostuser/somebodys", "").unwrap();
    assert_eq!(
        SocketRoot::prepare(&settings(None)).unwrap_err().to_string(),
        "socket root /run/vhostuser is not empty and was not made by this plugin: give it a dedicated directory \
         (sockets.hostRoot)"
    );
    assert!(mounts().is_empty());
    assert_eq!(entries("/run/vhostuser"), ["somebodys"]);
    // Where somebody else could put something in its place.
    fs::remove_dir_all("/run/vhostuser").unwrap();
    fs::create_dir("/run/open").unwrap();
    fs::set_permissions("/run/open", fs::Permissions::from_mode(0o777)).unwrap();
    let mut config = settings(None);
    config.sockets.host_root = "/run/open/root".parse().unwrap();
    assert_eq!(
        SocketRoot::prepare(&config).unwrap_err().to_string(),
        "socket root /run/open/root: users other than root can change its parent directory: use a \
         directory of root's, such as /run"
    );
    // Where nobody would see the mounts: /mnt is private here.
    config.sockets.host_root = "/mnt/root".parse().unwrap();
    fs::set_permissions("/mnt", fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(
        SocketRoot::prepare(&config).unwrap_err().to_string(),
        "socket root /mnt/root: mounts made here are visible in this mount namespace only: in a container the volume needs \
         mountPropagation: Bidirectional; elsewhere see mount(8), --make-shared"
    );
}

/// containerd and CRI-O create a missing mount source, as root: after somebody has removed the root under running pods,
/// the plugin must start again.
#[test]
fn mount_points_that_a_runtime_makes_are_no_obstacle() {
    if !inside("root::tests::mount_points_that_a_runtime_makes_are_no_obstacle") {
        return;
    }
    let pod = |id: &str| format!("/run/vhostuser/{id}/pod");
    for name in ["sockets-0", "listening-0"] {
        fs::create_dir_all(pod(name)).unwrap();
    }
    fs::create_dir("/run/vhostuser/sockets-1").unwrap();
    // With anything in them, or not root's, they may be somebody's.
    let refused = || assert!(matches!(SocketRoot::prepare(&settings(None)), Err(RootError::NotOurs(_))));
    fs::write(pod("sockets-0") + "/file", "").unwrap();
    refused();
    fs::remove_file(pod("sockets-0") + "/file").unwrap();
    fs::create_dir("/run/vhostuser/sockets-1/other").unwrap();
    refused();
    fs::remove_dir("/run/vhostuser/sockets-1/other").unwrap();
    std::os::unix::fs::chown(pod("listening-0"), Some(1000), None).unwrap();
    refused();
    std::os::unix::fs::chown(pod("listening-0"), Some(0), None).unwrap();
    assert!(Path::new(&pod("sockets-0")).exists(), "nothing is removed from a root that is not claimed");

    let root = SocketRoot::prepare(&settings(None)).unwrap();
    for (name, mode, uid, bits) in [
        ("sockets-0", SocketMode::Server, 107, 0o770),
        ("sockets-1", SocketMode::Server, 107, 0o770),
        ("listening-0", SocketMode::Client, 0, 0o750),
    ] {
        root.ensure(&id(name), mode).unwrap();
        let meta = fs::metadata(pod(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (uid, 107, bits), "{name}");
    }
}

#[test]
fn another_domain_needs_another_root() {
    if !inside("root::tests::another_domain_needs_another_root") {
        return;
    }
    let mut other = settings(None);
    other.domain = "c.d".parse().unwrap();
    drop(SocketRoot::prepare(&settings(None)).unwrap());
    // Nothing is in it.
    let root = SocketRoot::prepare(&other).unwrap();
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    drop(root);
    assert_eq!(
        SocketRoot::prepare(&settings(None)).unwrap_err().to_string(),
        "socket root /run/vhostuser has directories of domain c.d, and domain is now a.b: pods may be using them under \
         the same ids; give the new domain another root, or remove them when no pod has one (umount -R, rm -r)"
    );
}

/// Somebody took the mounts away, or put something else in their place: nothing is handed out that no switch sees.
#[test]
fn nothing_is_mounted_later() {
    if !inside("root::tests::nothing_is_mounted_later") {
        return;
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    mounts::unmount(Path::new("/run/vhostuser/sockets-0"), UnmountFlags::DETACH).unwrap();
    let refused = || root.hand_over(&id("sockets-0"), SocketMode::Server).unwrap_err().to_string();
    let expected =
        "/run/vhostuser/sockets-0: it was unmounted or replaced after the start: restart the device plugin";
    assert_eq!(refused(), expected);
    mounts::small(Path::new("/run/vhostuser/sockets-0"), settings(None).sockets.limits).unwrap();
    root.hand_over(&id("sockets-0"), SocketMode::Server).unwrap();
    mounts::unmount(Path::new("/run/vhostuser"), UnmountFlags::DETACH).unwrap();
    assert_eq!(refused(), expected);
}

#[test]
fn another_mode_needs_another_name() {
    if !inside("root::tests::another_mode_needs_another_name") {
        return;
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    root.ensure(&id("a-0"), SocketMode::Server).unwrap();
    root.ensure(&id("b-0"), SocketMode::Client).unwrap();
    let _socket = UnixListener::bind("/run/vhostuser/b-0/pod/vhost.sock").unwrap();
    for (name, mode) in [("a-0", SocketMode::Client), ("b-0", SocketMode::Server)] {
        assert_eq!(
            root.ensure(&id(name), mode).unwrap_err().to_string(),
            format!(
                "/run/vhostuser/{name} was made for a resource of another mode and may be in use: give the resource \
                 another name, or remove it when no pod has it"
            )
        );
    }
    assert!(Path::new("/run/vhostuser/b-0/pod/vhost.sock").exists());
}
