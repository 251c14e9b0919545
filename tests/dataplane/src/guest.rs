//! Commands in the guest, over the wire that is under test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};

use anyhow::{Context, Result};

use crate::network::{Peer, inside};
use crate::wait::{seconds, until, until_some};

const SHELL_PORT: u16 = 9999;

/// Runs shell commands in the guest and returns what they printed.
pub fn shell(peer: &Peer, guest: Ipv4Addr, commands: &str) -> Result<String> {
    let mut stream = send(peer, guest, commands)?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said).with_context(|| format!("the guest's answer to `{commands}`"))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Has the guest power itself off. It takes its end of the connection with it, so there is no answer to wait for.
pub fn power_off(peer: &Peer, guest: Ipv4Addr) -> Result<()> {
    send(peer, guest, "poweroff -f").map(drop)
}

fn send(peer: &Peer, guest: Ipv4Addr, commands: &str) -> Result<TcpStream> {
    let address = SocketAddr::from((guest, SHELL_PORT));
    // Between two connections the guest's listener is away for a moment.
    let connect = || {
        until_some("the guest's shell", seconds(20), || TcpStream::connect_timeout(&address, seconds(5)).ok())
    };
    let mut stream = inside(&peer.namespace(), connect)?;
    stream.set_read_timeout(Some(seconds(30)))?;
    stream.write_all(commands.as_bytes())?;
    stream.write_all(b"\n")?;
    stream.shutdown(Shutdown::Write)?;
    Ok(stream)
}

/// Waits until the guest gets an answer from `to` through that NIC of its own.
pub fn await_reach(peer: &Peer, guest: Ipv4Addr, nic: &str, to: Ipv4Addr) -> Result<()> {
    let reaches = || can_reach(peer, guest, nic, to).unwrap_or(false);
    until(&format!("the guest's {nic} to reach {to}"), seconds(60), reaches)
}

/// True if the guest gets an answer from `to` through that NIC of its own.
pub fn can_reach(peer: &Peer, guest: Ipv4Addr, nic: &str, to: Ipv4Addr) -> Result<bool> {
    let said = shell(
        peer,
        guest,
        &format!("ping -c 2 -W 1 -I {nic} {to} >/dev/null 2>&1 && echo reached || echo silent"),
    )?;
    Ok(said.contains("reached"))
}
