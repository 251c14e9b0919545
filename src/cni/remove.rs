//! Taking ports away: what DEL, GC and a failed ADD have in common.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    add::APPLICATION_FILE,
    error::CniError,
    files,
    found::Ours,
    ids::{ExternalIds, Holder},
    port::next_config,
    switch::Ovs,
};
use crate::{
    ovsdb::{
        OvsdbError,
        operation::{Condition, Operation},
        rows::NextConfig,
        value::{Datum, Uuid},
    },
    socketdir::{DeviceLock, SocketDir, SocketDirError},
    vhostuser::{DeviceId, HostDir, SOCKET_FILE, SocketMode},
};

/// The most that is waited for ovs-vswitchd to let go of the ports. They are gone from the database by then, which is
/// what counts; but a port that comes back while the old one is still there would not get a socket of its own.
const SETTLE: Duration = Duration::from_secs(3);

/// OVSDB's word for a row that others refer to.
const STILL_USED: &str = "referential integrity violation";

/// How many devices are held at once: each is an open file.
const AT_ONCE: usize = 64;

/// Removes what carries these marks and is `unwanted`, while nobody else works on its devices.
///
/// It is read twice: first to know which devices to hold, and again because until they were held another attachment may
/// have taken one over.
pub(super) fn remove_held(
    ovs: &mut Ovs,
    root: &HostDir,
    marks: &Datum,
    unwanted: impl Fn(&ExternalIds) -> bool,
) -> Result<Vec<String>, CniError> {
    let seen = Ours::read(ovs, marks)?.only(&unwanted);
    // In the set's order, so that no two calls wait for each other.
    let devices: Vec<_> = seen.ids().map(device).collect::<BTreeSet<_>>().into_iter().collect();
    let mut notes = Vec::new();
    for devices in devices.chunks(AT_ONCE) {
        let _held = hold(root, devices.iter().flatten(), ovs.end())?;
        let ours = Ours::read(ovs, marks)?.only(|ids| unwanted(ids) && devices.contains(&device(ids)));
        notes.extend(remove(ovs, root, &ours)?);
    }
    Ok(notes)
}

/// What cannot be held for another reason than that somebody else has it is not held: its port must go all the same, and
/// tidying tells what is wrong.
fn hold<'d>(
    root: &HostDir,
    devices: impl Iterator<Item = &'d DeviceId>,
    deadline: Instant,
) -> Result<Vec<DeviceLock>, CniError> {
    let mut held = Vec::new();
    for device in devices {
        match DeviceLock::take(root, device, deadline) {
            Ok(lock) => held.extend(lock),
            Err(busy @ SocketDirError::Busy { .. }) => return Err(busy.into()),
            Err(_) => {}
        }
    }
    Ok(held)
}

/// Removes it all in one transaction; what else could not be tidied is told.
///
/// The devices must be held. Their directories come first: as long as the port is there, no other attachment can have
/// its device.
pub(super) fn remove(ovs: &mut Ovs, root: &HostDir, ours: &Ours) -> Result<Vec<String>, CniError> {
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let tidied = ours.ports.iter().map(|port| tidy(root, &port.external_ids));
    let mut notes: Vec<_> = tidied.filter_map(|result| result.err().map(|error| error.to_string())).collect();
    notes.extend(foreign_limits(ours));
    let answers = match ovs.ask(removal(ours, true)) {
        // A limit that somebody has given to another port too is not ours alone any more.
        Err(OvsdbError::Operation { error, .. }) if error == STILL_USED => {
            let answers = ovs.ask(removal(ours, false));
            ours.qos.iter().try_for_each(|qos| remove_unused(ovs, &qos.uuid))?;
            answers
        }
        result => result,
    };
    if let Some(NextConfig(config)) = answers?.last().rows::<NextConfig>()?.pop() {
        // A switch that does not run has let go of them.
        let _ = ovs.carried_out(config, "", SETTLE.min(ovs.left() / 3));
    }
    Ok(notes)
}

/// A limit that somebody else has put on a port of ours, or taken our marks from, is not ours to remove.
fn foreign_limits(ours: &Ours) -> impl Iterator<Item = String> {
    let foreign = |qos: &Uuid| !ours.qos.iter().any(|own| own.uuid == *qos);
    ours.ports.iter().filter_map(move |port| {
        let qos = port.qos.as_ref().filter(|qos| foreign(qos))?;
        Some(format!(
            "QoS {qos} of port {} does not carry this plugin's marks and stays: if nobody uses it, ovs-vsctl destroy QoS \
             {qos}",
            port.name
        ))
    })
}

/// Removes a limit unless a port still has it.
fn remove_unused(ovs: &mut Ovs, qos: &Uuid) -> Result<(), OvsdbError> {
    match ovs.ask(vec![Operation::delete("QoS", &[Condition::is("_uuid", qos)])]) {
        Err(OvsdbError::Operation { error, .. }) if error == STILL_USED => Ok(()),
        result => result.map(drop),
    }
}

/// A port would go by itself with its bridge's reference, but only after OVSDB has refused to delete a limit that the
/// port still refers to.
fn removal(ours: &Ours, with_limits: bool) -> Vec<Operation> {
    let mut operations = Vec::new();
    for port in &ours.ports {
        let bridge = [Condition::includes("ports", &port.uuid)];
        operations.push(Operation::take("Bridge", &bridge, "ports", &port.uuid));
        operations.push(Operation::delete("Port", &[Condition::is("_uuid", &port.uuid)]));
        operations.push(Operation::comment(&format!("vhostuser CNI: DEL {}", port.name)));
    }
    let limits = ours.qos.iter().filter(|_| with_limits);
    operations.extend(limits.map(|qos| Operation::delete("QoS", &[Condition::is("_uuid", &qos.uuid)])));
    operations.extend(next_config());
    operations
}

/// The device of a port or a limit, by its marks.
fn device(ids: &ExternalIds) -> Option<DeviceId> {
    Holder::of(ids)?.device()?.parse().ok()
}

/// Removes device-info, and what ADD, and the device plugin's daemon for it, have put into the device's directory.
fn tidy(root: &HostDir, ids: &ExternalIds) -> Result<(), CniError> {
    let Some(holder) = Holder::of(ids) else { return Ok(()) };
    if let Some(file) = holder.info_file() {
        files::remove_device_info(file)?;
    }
    let Some(device) = device(ids) else { return Ok(()) };
    let Some(dir) = SocketDir::open(root, &device)? else { return Ok(()) };
    dir.remove_written(APPLICATION_FILE)?;
    if holder.mode() == Some(SocketMode::Client) {
        dir.remove(SOCKET_FILE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
