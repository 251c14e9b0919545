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
        tidy(&host, &ids).unwrap();
        assert_eq!(left(), expected);
    }
}
