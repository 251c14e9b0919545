use std::{fs, os::unix::net::UnixListener};

use super::*;

fn ids(device: &str, mode: &str) -> ExternalIds {
    let ids = [
        ("vhostuser-owner", "network-vhostuser-binding"),
        ("vhostuser-device", device),
        ("vhostuser-mode", mode),
    ];
    ids.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// In server mode the socket is the guest's own.
#[test]
fn tidies_what_is_ours_in_the_directory() {
    let root = tempfile::tempdir().unwrap();
    let host: HostDir = root.path().to_str().unwrap().parse().unwrap();
    let dir = root.path().join("ovs-0/pod");
    fs::create_dir_all(&dir).unwrap();
    let _socket = UnixListener::bind(dir.join("vhost.sock")).unwrap();
    for name in ["vhostuser.json", "data"] {
        fs::write(dir.join(name), "x").unwrap();
    }
    let left = || {
        let mut names: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.join(" ")
    };
    for (ids, expected) in [
        (ExternalIds::new(), "data vhost.sock vhostuser.json"),
        (ids("../x", "client"), "data vhost.sock vhostuser.json"),
        (ids("gone", "client"), "data vhost.sock vhostuser.json"),
        (ids("ovs-0", "server"), "data vhost.sock"),
        (ids("ovs-0", "client"), "data"),
        (ids("ovs-0", "client"), "data"),
    ] {
        assert_eq!(tidy(&host, &ids), Vec::<String>::new());
        assert_eq!(left(), expected);
    }
}

/// What a tenant puts in the way of one thing keeps nothing else.
#[test]
fn what_cannot_be_removed_is_told_and_the_rest_goes() {
    let root = tempfile::tempdir().unwrap();
    let host: HostDir = root.path().to_str().unwrap().parse().unwrap();
    let dir = root.path().join("ovs-0/pod");
    fs::create_dir_all(dir.join("vhostuser.json")).unwrap();
    let _socket = UnixListener::bind(dir.join("vhost.sock")).unwrap();
    let mut ids = ids("ovs-0", "client");
    let info = dir.display().to_string();
    ids.insert("vhostuser-device-info".to_owned(), info.clone());
    let said = [
        format!("{info}: cannot be read: not a regular file"),
        format!("{info}/vhostuser.json: cannot be removed: Is a directory (os error 21)"),
    ];
    assert_eq!(tidy(&host, &ids), said);
    assert!(!dir.join("vhost.sock").exists());
}
