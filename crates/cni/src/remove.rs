//! Taking ports away: what DEL, GC and a failed ADD have in common.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{
    error::CniError,
    files::{self, APPLICATION_FILE},
    ids::{ExternalIds, Holder},
    switch::Ovs,
};
use node::socketdir::{DeviceLock, SocketDir, SocketDirError};
use ovs::{ours::Ours, port::Wanted, value::Uuid};
use vocabulary::{DeviceId, HostDir, SOCKET_FILE, SocketMode};

/// The most that is waited for ovs-vswitchd to let go of the ports. They are gone from the database by then, which is
/// what counts; but a port that comes back while the old one is still there would not get a socket of its own.
const SETTLE: Duration = Duration::from_secs(3);

/// The devices of ports and limits, in an order, so that no two calls wait for each other.
pub(super) fn devices(ours: &Ours) -> BTreeSet<DeviceId> {
    ours.ids().filter_map(device).collect()
}

/// Devices on which nobody else works as long as this lives.
///
/// What cannot be held for another reason than that somebody else has it is not held: its port must go all the same, and
/// tidying reports what is wrong.
///
/// # Errors
/// Somebody else had one of them until the deadline.
pub(super) fn hold<'d>(
    root: &HostDir,
    devices: impl IntoIterator<Item = &'d DeviceId>,
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

/// The device of a port or a limit, by its marks.
pub(super) fn device(ids: &ExternalIds) -> Option<DeviceId> {
    Holder::of(ids)?.device()?.parse().ok()
}

/// Forgets ports that are no longer wanted, so that nobody plugs them again. Comes before they are removed.
pub(super) fn forget(held: &[DeviceLock], unwanted: impl Fn(&Holder<'_>) -> bool) -> Vec<String> {
    let forget = |lock: &DeviceLock| {
        // Of an ADD that was killed while it wrote one.
        let Some(record) = lock.record()? else { return lock.remove_record() };
        let marks = serde_json::from_slice(&record).map(|wanted: Wanted| wanted.marks()).unwrap_or_default();
        if Holder::of(&marks).is_some_and(|holder| unwanted(&holder)) { lock.remove_record() } else { Ok(()) }
    };
    held.iter().filter_map(|lock| forget(lock).err()).map(|error| error.to_string()).collect()
}

/// Removes it all in one transaction; what else could not be tidied is reported.
///
/// The devices must be held. Their directories come first: killed in between, the next DEL still finds them by the port.
pub(super) fn remove(ovs: &mut Ovs, root: &HostDir, ours: &Ours) -> Result<Vec<String>, CniError> {
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let mut notes: Vec<_> = ours.ports.iter().flat_map(|port| tidy(root, &port.external_ids)).collect();
    notes.extend(foreign_limits(ours));
    let config = ovs.unplug(ours)?;
    // A switch that does not run has let go of them.
    let _ = ovs.carried_out(config, "", SETTLE.min(ovs.left() / 3));
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

/// Removes device-info, and what ADD, and the device plugin's daemon for it, have put into the device's directory. What
/// cannot be removed keeps nothing else.
fn tidy(root: &HostDir, ids: &ExternalIds) -> Vec<String> {
    let Some(holder) = Holder::of(ids) else { return Vec::new() };
    let mut problems: Vec<_> =
        holder.info_file().and_then(|file| files::remove_device_info(file).err()).into_iter().collect();
    let dir = device(ids).map_or(Ok(None), |device| SocketDir::open(root, &device));
    match dir {
        Ok(Some(dir)) => {
            problems.extend(dir.remove_written(APPLICATION_FILE).err().map(CniError::from));
            let socket =
                holder.mode().filter(|mode| *mode == SocketMode::Client).map(|_| dir.remove(SOCKET_FILE));
            problems.extend(socket.and_then(Result::err).map(CniError::from));
        }
        Ok(None) => {}
        Err(problem) => problems.push(problem.into()),
    }
    problems.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests;
