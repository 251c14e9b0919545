//! What a tenant may try, and who reaches its socket.

use super::*;
use crate::own_mounts::{Deed, as_user, can};

/// What a tenant does in its own directory: fill it, lay links, listen. None of it reaches anybody else.
#[test]
fn a_hostile_tenant_reaches_nobody_else() {
    if !inside("root::tests::tenants::a_hostile_tenant_reaches_nobody_else") {
        return;
    }
    let root = SocketRoot::prepare(&settings(None)).unwrap();
    for name in ["sockets-0", "sockets-1"] {
        root.ensure(&id(name), SocketMode::Server).unwrap();
    }
    // Full of files, then full of bytes, as root too: its own end only.
    assert!(!can(107, Deed::Fill, "/run/vhostuser/sockets-0/pod"));
    let filled = entries("/run/vhostuser/sockets-0/pod").len();
    // Six, and what label and the next directory would have taken.
    assert!((6..=8).contains(&filled), "{filled}");
    fs::write("/run/vhostuser/sockets-0/pod/f1", vec![1; 1 << 20]).unwrap_err();
    assert!(fs::metadata("/run/vhostuser/sockets-0/pod/f1").unwrap().len() <= 8192);
    assert!(!can(107, Deed::Bind, "/run/vhostuser/sockets-0/pod/vhost.sock"));
    assert!(can(107, Deed::Bind, "/run/vhostuser/sockets-1/pod/vhost.sock"));
    assert_eq!(root.hand_over(&id("sockets-0"), SocketMode::Server).unwrap(), filled);

    // A link to the other tenant's socket: not even root, as which the switch runs, is led there.
    symlink("../../sockets-1/pod/vhost.sock", "/run/vhostuser/sockets-0/pod/vhost.sock").unwrap();
    let led = std::os::unix::net::UnixStream::connect("/run/vhostuser/sockets-0/pod/vhost.sock").unwrap_err();
    assert_eq!(led.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    // Its own directory's name is not its own.
    assert!(!can(107, Deed::Rename, "/run/vhostuser/sockets-0/pod"));
    // Nothing in it is run.
    fs::write("/run/vhostuser/sockets-1/pod/f", "#!/bin/sh\n").unwrap();
    fs::set_permissions("/run/vhostuser/sockets-1/pod/f", fs::Permissions::from_mode(0o4755)).unwrap();
    let run = std::process::Command::new("/run/vhostuser/sockets-1/pod/f").status().unwrap_err();
    assert_eq!(run.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn only_the_tenant_and_the_switch_reach_a_socket() {
    if !inside("root::tests::tenants::only_the_tenant_and_the_switch_reach_a_socket") {
        return;
    }
    const STRANGER: u32 = 1234;
    const SWITCH: u32 = 998;
    const SOCKET: &str = "/run/vhostuser/sockets-0/pod/vhost.sock";
    let root = SocketRoot::prepare(&settings(Some(SWITCH))).unwrap();
    root.ensure(&id("sockets-0"), SocketMode::Server).unwrap();
    let mut tenant = as_user(107, Deed::Listen, SOCKET).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !can(SWITCH, Deed::Connect, SOCKET) {
        assert!(Instant::now() < deadline, "the switch's user does not reach the socket");
        sleep(Duration::from_millis(20));
    }
    assert!(can(107, Deed::Connect, SOCKET) && !can(STRANGER, Deed::Connect, SOCKET));
    for user in [STRANGER, SWITCH] {
        assert!(!can(user, Deed::List, "/run/vhostuser/sockets-0/pod"), "{user}");
        assert!(!can(user, Deed::Bind, "/run/vhostuser/sockets-0/pod/other.sock"), "{user}");
    }
    for user in [STRANGER, SWITCH, 107] {
        assert!(!can(user, Deed::List, "/run/vhostuser"), "{user}");
        assert!(!can(user, Deed::Bind, "/run/vhostuser/sock"), "{user}");
    }
    tenant.kill().unwrap();
    tenant.wait().unwrap();
}
