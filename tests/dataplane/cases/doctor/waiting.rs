//! Who waits for whom.

use std::os::unix::net::UnixListener;

use anyhow::Result;

use super::{
    KILL_PLUGIN, KILL_SWITCH, RESTART_SWITCH, START_PLUGIN, START_SWITCH, Shell, all, between, broken,
    port_of, shell,
};
use dataplane::agent::{CLIENT1, Grants, PORTS};
use dataplane::node::Stage;

/// A device that no pod has.
const GUEST_LISTENS: &str = "br1-3";
const SWITCH_LISTENS: &str = "br1-listening-1";

fn socket_of(id: &str) -> String {
    format!("/var/run/vhostuser/{id}/pod/vhost.sock")
}

pub(crate) fn doctor_tells_who_waits_for_a_guest(stage: &mut Stage<'_>) -> Result<()> {
    let (port, socket) = (port_of(GUEST_LISTENS)?, socket_of(GUEST_LISTENS));
    let place = || format!("device {GUEST_LISTENS}, {socket}; Interface {port}, status = disconnected");
    let plug = format!(
        "ovs-vsctl add-port br1 {port} -- set Interface {port} type=dpdkvhostuserclient options:vhost-server-path={socket}"
    );
    let unplug = format!("ovs-vsctl del-port {port}");
    let if_gone = &[between("if it is gone: ", "")];
    all(stage, &[broken(&[Shell(&plug)], ("guest-absent", place()), if_gone)])?;

    // Mounted after the switch's pod has started, so it is not seen there.
    let dir = format!("/run/vhostuser/{GUEST_LISTENS}/pod");
    shell(&format!("mount -t tmpfs -o mode=0770,uid=107,gid=107 tmpfs {dir}"))?;
    let guest = UnixListener::bind(&socket)?;
    let told = all(stage, &[broken(&[Shell(&plug)], ("not-connected", place()), &[Shell(&unplug)])]);
    drop(guest);
    told.and_then(|()| all(stage, &[broken(&[Shell(&plug)], ("guest-gone", place()), if_gone)]))?;
    shell(&format!("umount {dir}"))
}

pub(crate) fn doctor_tells_who_waits_for_the_switch(stage: &mut Stage<'_>) -> Result<()> {
    let (port, socket) = (port_of(SWITCH_LISTENS)?, socket_of(SWITCH_LISTENS));
    let place = || format!("device {SWITCH_LISTENS}, {socket}; Interface {port}, status = disconnected");
    let made = format!("/run/openvswitch/sockets/{port}");
    let plug = format!("ovs-vsctl add-port br1 {port} -- set Interface {port} type=dpdkvhostuser");
    let unplug = format!("ovs-vsctl del-port {port}");
    // The device plugin moves the socket within a second.
    let moved = format!("timeout 60 sh -c 'until test -S {socket}; do sleep 0.1; done'");
    let remove = format!("rm {socket}");
    // The socket stays in the directory, and is in nobody's way.
    all(stage, &[broken(&[Shell(&plug)], ("guest-absent", place()), &[between("if it is gone: ", "")])])?;

    // A pod has both devices.
    let _pod = Grants::admit(&stage.node.agent, "listening", &[(CLIENT1.to_owned(), PORTS[2].1)])?;
    shell(&plug)?;
    shell(&moved)?;
    all(
        stage,
        &[
            broken(&[Shell(&remove)], ("switch-socket-missing", place()), &[RESTART_SWITCH, Shell(&moved)]),
            broken(
                &[KILL_PLUGIN, RESTART_SWITCH],
                ("switch-socket-not-moved", made.clone()),
                &[START_PLUGIN, Shell(&moved)],
            ),
            broken(
                &[KILL_PLUGIN, RESTART_SWITCH, KILL_SWITCH, START_SWITCH],
                ("switch-socket-stale", made),
                &[between("", " && systemctl"), RESTART_SWITCH, START_PLUGIN],
            ),
            broken(
                &[Shell(&unplug)],
                ("port-missing", format!("device {SWITCH_LISTENS}, {socket}: no port {port}")),
                &[between("by hand: ", "")],
            ),
        ],
    )?;
    shell(&unplug)
}
