//! What a pod can do to others with what it was given.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use dataplane::agent::SOCKET_ROOT;
use dataplane::logs::{length, since};
use dataplane::node::{Stage, note};
use dataplane::pod::Pod;
use dataplane::process::run;
use dataplane::switch::vswitchd_log;
use dataplane::vm::{Mode, Nic, Vm};
use dataplane::wait::{seconds, until_some};

pub(crate) fn nobody_reaches_another_pods_directory(stage: &mut Stage<'_>) -> Result<()> {
    let mut listening = Nic::new("green");
    listening.mode = Mode::Client;
    let first = stage.pod_without_ports("a", &Vm::new(vec![Nic::new("blue")]))?;
    let second = stage.pod_without_ports("b", &Vm::new(vec![Nic::new("blue"), listening]))?;
    let (foreign, own, read_only) = (&first.devices[0], &second.devices[0], &second.devices[1]);

    // The other pod has the same user: only what is mounted tells them apart.
    let seen = in_compute(&second, &format!("ls {SOCKET_ROOT}"))?;
    let mut expected = [own.id.as_str(), read_only.id.as_str()];
    expected.sort_unstable();
    ensure!(seen.split_whitespace().eq(expected), "the pod sees {seen}");
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", second.compute_pid().as_raw_nonzero()))?;
    ensure!(!mounts.contains(foreign.id.as_str()), "the other's directory is in the pod's mounts:\n{mounts}");
    in_compute(&second, &format!("touch {}/file", own.pod_dir()?.display()))?;
    let file = format!("touch {}/file", read_only.pod_dir()?.display());
    let refused = in_compute(&second, &file).err().context("a pod that only connects can write")?;
    ensure!(format!("{refused:#}").contains("Read-only file system"), "another refusal: {refused:#}");

    // On the node only root and the pods' user get in, and only who knows the name.
    let dir = foreign.node_dir().display();
    for (user, command) in [
        ("1234", format!("ls {dir}")),
        ("1234", format!("touch {dir}/file")),
        ("1234", format!("ls {SOCKET_ROOT}")),
        ("107", format!("ls {SOCKET_ROOT}")),
        ("107", format!("rmdir {dir}")),
    ] {
        let refused = as_user(user, &command).err().with_context(|| format!("{user} can {command}"))?;
        let reason = format!("{refused:#}");
        let expected = ["Permission denied", "Device or resource busy"];
        ensure!(expected.iter().any(|text| reason.contains(text)), "another refusal: {reason}");
    }
    Ok(())
}

/// The switch is root and looks into every directory. A pod may make of its socket a link to another's.
pub(crate) fn a_link_to_another_pods_socket_leads_nowhere(stage: &mut Stage<'_>) -> Result<()> {
    let vm = Vm::new(vec![Nic::new("blue")]);
    let (mut attacker, victim) = (stage.pod_without_ports("a", &vm)?, stage.pod_without_ports("b", &vm)?);
    let socket = victim.devices[0].node_socket();
    let listener = UnixListener::bind(&socket)?;
    listener.set_nonblocking(true)?;
    let link = attacker.devices[0].pod_dir()?;
    in_compute(&attacker, &format!("ln -s {} {}/vhost.sock", socket.display(), link.display()))?;

    let log_start = length(&vswitchd_log());
    attacker.plug()?;
    let refused = |line: &&str| line.contains("failed to connect") && line.contains("vhost.sock");
    let said = until_some("the switch to be refused", seconds(60), || {
        since(&vswitchd_log(), log_start).lines().find(refused).map(str::to_owned)
    })?;
    note(said.split('|').next_back().unwrap_or_default());
    ensure!(said.contains("Too many levels of symbolic links"), "another refusal: {said}");
    let nobody = listener.accept().err().context("the switch came to the other pod's socket")?;
    ensure!(nobody.kind() == ErrorKind::WouldBlock, "{nobody}");
    Ok(())
}

/// Runs a shell command as the compute container's user.
fn in_compute(pod: &Pod, command: &str) -> Result<String> {
    let pid = pod.compute_pid().as_raw_nonzero().to_string();
    run(
        seconds(60),
        &[&["nsenter", "--mount", "--target", &pid], &user("107")[..], &["sh", "-c", command]].concat(),
    )
}

/// On the node.
fn as_user(id: &str, command: &str) -> Result<String> {
    ensure!(Path::new(SOCKET_ROOT).exists(), "no {SOCKET_ROOT} on the node");
    run(seconds(60), &[&user(id)[..], &["sh", "-c", command]].concat())
}

fn user(id: &str) -> [&str; 7] {
    ["setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--no-new-privs"]
}
