use std::{
    fs::{self, File},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
    },
};

use super::*;

fn root(dir: &tempfile::TempDir) -> HostDir {
    dir.path().to_str().unwrap().parse().unwrap()
}

fn id() -> DeviceId {
    "sockets-0".parse().unwrap()
}

/// A root with one device's directory.
fn device() -> (tempfile::TempDir, SocketDir) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("sockets-0/pod")).unwrap();
    let device = SocketDir::open(&root(&dir), &id()).unwrap().unwrap();
    (dir, device)
}

#[test]
fn opens_a_directory_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    assert!(SocketDir::open(&root(&dir), &id()).unwrap().is_none());
    fs::create_dir(dir.path().join("sockets-0")).unwrap();
    let path = dir.path().join("sockets-0/pod");
    let refusal = || SocketDir::open(&root(&dir), &id()).unwrap_err().to_string();
    symlink("/etc", &path).unwrap();
    // The kernel gives either reason for a link that must not be followed.
    let link = refusal();
    assert!(
        link == format!(
            "{}: cannot be opened: Too many levels of symbolic links (os error 40)",
            path.display()
        ) || link == format!("{}: cannot be opened: Not a directory (os error 20)", path.display()),
        "{link}"
    );
    fs::remove_file(&path).unwrap();
    File::create(&path).unwrap();
    assert_eq!(refusal(), format!("{}: cannot be opened: Not a directory (os error 20)", path.display()));
}

#[test]
fn clears_any_tree_and_leaves_what_links_lead_to() {
    let (dir, device) = device();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();
    let inside = dir.path().join("sockets-0/pod");
    symlink(&outside, inside.join("link-to-dir")).unwrap();
    symlink(outside.join("kept"), inside.join("vhost.sock")).unwrap();
    fs::hard_link(outside.join("kept"), inside.join("hard")).unwrap();
    fs::create_dir_all(inside.join("a/b/c")).unwrap();
    symlink(&outside, inside.join("a/b/c/up")).unwrap();
    let _socket = UnixListener::bind(inside.join("a/s")).unwrap();
    fs::write(inside.join("new\nline"), "").unwrap();
    fs::set_permissions(inside.join("a/b"), fs::Permissions::from_mode(0o000)).unwrap();
    device.clear().unwrap();
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
    assert_eq!(device.clear().unwrap(), 0);
}

/// Deeper than a path can be long and than a process may have files open.
#[test]
fn clears_a_tree_deeper_than_any_path() {
    let (_dir, device) = device();
    let mut at = open_below(&device, ".").unwrap();
    for _ in 0..5000 {
        rustix::fs::mkdirat(&at, "deep", Mode::from_raw_mode(0o700)).unwrap();
        at = open_below(&at, "deep").unwrap();
    }
    drop(at);
    assert_eq!(device.clear().unwrap(), 5000);
}

#[test]
fn finds_a_socket_only() {
    let (dir, device) = device();
    let path = dir.path().join("sockets-0/pod/vhost.sock");
    assert_eq!(device.find_socket().unwrap(), None);
    let elsewhere = dir.path().join("other.sock");
    let _other = UnixListener::bind(&elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_eq!(device.find_socket().unwrap(), None);
    assert!(device.remove(SOCKET_FILE).unwrap());
    assert!(elsewhere.exists());
    let _listener = UnixListener::bind(&path).unwrap();
    let meta = fs::symlink_metadata(&path).unwrap();
    let socket = device.find_socket().unwrap().unwrap();
    assert_eq!((socket.inode, socket.mode), (meta.ino(), meta.mode() & 0o7777));
    assert!(device.remove(SOCKET_FILE).unwrap());
    assert!(!device.remove(SOCKET_FILE).unwrap());
}

/// Needs root, as all tests with owners do.
#[test]
fn owner_mode_and_acl_are_set_anew() {
    let (dir, device) = device();
    let path = dir.path().join("sockets-0/pod");
    let access = |switch_user| Access { owner: Owner { uid: 107, gid: 108 }, mode: 0o770, switch_user };
    for switch_user in [Some(998), None] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o007)).unwrap();
        device.own(&access(switch_user)).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (107, 108, 0o770));
        let mut acl = [0_u8; 64];
        let found = rustix::fs::fgetxattr(&device, "system.posix_acl_default", &mut acl[..]);
        assert_eq!(found.is_ok(), switch_user.is_some());
        // Owner, the switch's user, group, mask, others: what `getfacl` would show.
        assert!(switch_user.is_none() || acl[12..20] == [2, 0, 6, 0, 0xe6, 3, 0, 0]);
    }
}

#[test]
fn files_are_written_for_their_reader() {
    let (dir, device) = device();
    let path = dir.path().join("sockets-0/pod/app.json");
    let victim = dir.path().join("victim");
    fs::write(&victim, "kept").unwrap();
    symlink(&victim, &path).unwrap();
    device.write_file("app.json", b"{}", Owner { uid: 107, gid: 107 }, 0o640).unwrap();
    let meta = fs::symlink_metadata(&path).unwrap();
    assert_eq!((meta.uid(), meta.gid(), meta.mode()), (107, 107, 0o100_640));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
    assert_eq!(device.owner().unwrap().uid, fs::metadata(path.parent().unwrap()).unwrap().uid());
}
