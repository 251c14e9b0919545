//! Which devices there are, which of them pods have, and which may be offered. Pure: the clock is an argument.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use vocabulary::DeviceId;

/// How long an allocated device that is not in the kubelet's list counts as in use: the kubelet adds it only after
/// `Allocate` has returned.
const GRACE: Duration = Duration::from_secs(10);

/// How long a switch may be unavailable before its devices are Unhealthy. A restart takes about 2 s.
const GONE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    /// Since then, and not yet in the kubelet's list.
    Allocated(Instant),
    /// In the kubelet's last list.
    Listed,
}

#[derive(Debug)]
struct Entry {
    state: Use,
    /// Larger for one that was allocated later; 0 for never.
    turn: u64,
}

/// All devices of all resources.
#[derive(Debug)]
pub(crate) struct Inventory {
    devices: BTreeMap<DeviceId, Entry>,
    turn: u64,
    /// There was a complete list since the start.
    is_known: bool,
}

impl Inventory {
    pub(crate) fn new(devices: impl Iterator<Item = DeviceId>) -> Self {
        let entry = |id| (id, Entry { state: Use::Free, turn: 0 });
        Self { devices: devices.map(entry).collect(), turn: 0, is_known: false }
    }

    pub(crate) fn allocate(&mut self, id: &DeviceId, now: Instant) {
        self.turn += 1;
        if let Some(device) = self.devices.get_mut(id) {
            *device = Entry { state: Use::Allocated(now), turn: self.turn };
        }
    }

    /// The kubelet's list of what pods have. A device that is not in it is free only if the list is complete.
    pub(crate) fn listed(&mut self, listed: &BTreeSet<DeviceId>, is_complete: bool, now: Instant) {
        self.is_known |= is_complete;
        for (id, device) in &mut self.devices {
            device.state = match device.state {
                _ if listed.contains(id) => Use::Listed,
                state if !is_complete => state,
                Use::Allocated(since) if now - since < GRACE => device.state,
                _ => Use::Free,
            };
        }
    }

    /// Whether a pod has it; before the first complete list, whether one may have it.
    pub(crate) fn must_stay_healthy(&self, id: &DeviceId) -> bool {
        self.is_in_use(id) || !self.is_known && self.devices.contains_key(id)
    }

    /// Whether a pod is known to have it.
    pub(crate) fn is_in_use(&self, id: &DeviceId) -> bool {
        self.devices.get(id).is_some_and(|device| device.state != Use::Free)
    }

    /// Chooses `size` of the `available` devices: those that `must` be, then those whose last use is longest ago, which
    /// gives a previous pod's port the most time to go.
    pub(crate) fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String> {
        let mut rest: Vec<&String> = available.iter().filter(|id| !must.contains(id)).collect();
        rest.sort_by_key(|id| self.last_use(id));
        must.iter().chain(rest).take(size).cloned().collect()
    }

    /// Then by number: `sockets-2` before `sockets-10`.
    fn last_use<'a>(&self, id: &'a str) -> (u64, usize, &'a str) {
        let device = id.parse().ok().and_then(|id: DeviceId| self.devices.get(&id));
        (device.map_or(0, |device| device.turn), id.len(), id)
    }
}

/// Whether a switch's devices may be offered: not before it was ready once, and until it has been gone for [`GONE`].
#[derive(Debug, Default)]
pub(crate) struct Health {
    gone_since: Option<Instant>,
    /// `None` before the first look.
    healthy: Option<bool>,
}

impl Health {
    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy == Some(true)
    }

    /// Takes one look into account. Returns true if the health changed, or was not known before.
    pub(crate) fn seen(&mut self, is_ready: bool, now: Instant) -> bool {
        let before = self.healthy;
        self.gone_since = if is_ready { None } else { Some(self.gone_since.unwrap_or(now)) };
        let gone_for_long = |since: Instant| now - since >= GONE;
        self.healthy = Some(match self.gone_since {
            None => true,
            Some(since) => before == Some(true) && !gone_for_long(since),
        });
        self.healthy != before
    }
}

#[cfg(test)]
mod tests;
