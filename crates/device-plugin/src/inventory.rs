//! Which devices there are, which of them pods have, and which may be offered. Pure: the clock is an argument.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use vocabulary::DeviceId;

/// How long a device that was given away, but is not in the kubelet's list, still counts as in use: the kubelet writes
/// it down after `Allocate` has returned. The same holds for devices of which nobody has told since the start: a
/// predecessor may have given one away a moment before.
const GRACE: Duration = Duration::from_secs(10);

/// How long a switch may be gone before its devices are unhealthy. A restart takes about 2 s.
const GONE: Duration = Duration::from_secs(10);

/// What is known of a device's use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// By no pod.
    Free,
    /// Given away at this time, and not yet seen in the kubelet's list.
    Given(Instant),
    /// In the kubelet's last list.
    Listed,
    /// Since this time, the start of the process, nobody has told.
    Unknown(Instant),
}

#[derive(Debug)]
struct Device {
    state: Use,
    /// Larger for one that was given away later; 0 for never.
    given: u64,
}

/// All devices of all resources.
#[derive(Debug)]
pub(super) struct Inventory {
    devices: BTreeMap<DeviceId, Device>,
    given: u64,
}

impl Inventory {
    /// Nothing is known of any device yet.
    pub(super) fn new(devices: impl Iterator<Item = DeviceId>, now: Instant) -> Self {
        let unknown = |id| (id, Device { state: Use::Unknown(now), given: 0 });
        Self { devices: devices.map(unknown).collect(), given: 0 }
    }

    /// The device is given to a pod.
    pub(super) fn give(&mut self, id: &DeviceId, now: Instant) {
        self.given += 1;
        if let Some(device) = self.devices.get_mut(id) {
            *device = Device { state: Use::Given(now), given: self.given };
        }
    }

    /// The kubelet's list of what pods have. A device that is not in it is free only if the list is `whole`.
    pub(super) fn listed(&mut self, listed: &BTreeSet<DeviceId>, whole: bool, now: Instant) {
        for (id, device) in &mut self.devices {
            device.state = match device.state {
                _ if listed.contains(id) => Use::Listed,
                state if !whole => state,
                Use::Given(since) | Use::Unknown(since) if now - since < GRACE => device.state,
                _ => Use::Free,
            };
        }
    }

    /// Whether a pod has it, or may have it.
    pub(super) fn may_be_in_use(&self, id: &DeviceId) -> bool {
        let unknown = |device: &Device| matches!(device.state, Use::Unknown(_));
        self.is_known_in_use(id) || self.devices.get(id).is_some_and(unknown)
    }

    /// Whether a pod is known to have it.
    pub(super) fn is_known_in_use(&self, id: &DeviceId) -> bool {
        self.devices.get(id).is_some_and(|device| matches!(device.state, Use::Given(_) | Use::Listed))
    }

    /// Of the `available` devices `size` that had better be given: those that `must` be, then those whose last use is
    /// longest ago. So a port of the pod before has the most time to go.
    pub(super) fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String> {
        let mut rest: Vec<&String> = available.iter().filter(|id| !must.contains(id)).collect();
        rest.sort_by_key(|id| self.last_given(id));
        must.iter().chain(rest).take(size).cloned().collect()
    }

    /// Then by number: `sockets-2` before `sockets-10`.
    fn last_given<'a>(&self, id: &'a str) -> (u64, usize, &'a str) {
        let device = id.parse().ok().and_then(|id: DeviceId| self.devices.get(&id));
        (device.map_or(0, |device| device.given), id.len(), id)
    }
}

/// Whether a switch is there.
#[derive(Debug)]
pub(super) struct Health {
    gone_since: Option<Instant>,
    healthy: bool,
}

impl Health {
    /// Taken to be there until it has been gone for long.
    pub(super) fn new() -> Self {
        Self { gone_since: None, healthy: true }
    }

    /// Whether its devices may be offered.
    pub(super) fn healthy(&self) -> bool {
        self.healthy
    }

    /// One look at it. True if its devices' health is another than before.
    pub(super) fn seen(&mut self, there: bool, now: Instant) -> bool {
        let before = self.healthy;
        self.gone_since = if there { None } else { Some(self.gone_since.unwrap_or(now)) };
        self.healthy = self.gone_since.is_none_or(|since| now - since < GONE);
        self.healthy != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> DeviceId {
        text.parse().unwrap()
    }

    fn ids(texts: &[&str]) -> BTreeSet<DeviceId> {
        texts.iter().copied().map(id).collect()
    }

    fn inventory(now: Instant) -> Inventory {
        Inventory::new(["a-0", "a-1", "a-2"].into_iter().map(id), now)
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn until_the_kubelet_has_told_everything_may_be_in_use() {
        let start = Instant::now();
        let mut inventory = inventory(start);
        assert!(inventory.may_be_in_use(&id("a-0")) && !inventory.is_known_in_use(&id("a-0")));
        inventory.listed(&ids(&["a-1"]), true, start + seconds(9));
        // A predecessor may have given it away a moment before it ended.
        assert!(inventory.may_be_in_use(&id("a-0")) && inventory.is_known_in_use(&id("a-1")));
        inventory.listed(&ids(&["a-1"]), true, start + seconds(10));
        assert!(!inventory.may_be_in_use(&id("a-0")) && inventory.is_known_in_use(&id("a-1")));
        assert!(!inventory.may_be_in_use(&id("b-0")));
    }

    #[test]
    fn a_device_is_in_use_from_allocate_until_the_kubelet_lists_it_no_more() {
        let start = Instant::now();
        let mut inventory = inventory(start);
        inventory.listed(&ids(&[]), true, start + seconds(60));
        inventory.give(&id("a-0"), start + seconds(70));
        assert!(inventory.is_known_in_use(&id("a-0")));
        // Not listed yet.
        inventory.listed(&ids(&[]), true, start + seconds(71));
        assert!(inventory.is_known_in_use(&id("a-0")));
        inventory.listed(&ids(&["a-0"]), true, start + seconds(80));
        assert!(inventory.is_known_in_use(&id("a-0")));
        inventory.listed(&ids(&[]), true, start + seconds(90));
        assert!(!inventory.may_be_in_use(&id("a-0")));
    }

    /// A kubelet that has just started has not heard of its pods yet.
    #[test]
    fn a_list_that_is_not_whole_frees_nothing() {
        let start = Instant::now();
        let mut inventory = inventory(start);
        inventory.listed(&ids(&["a-0"]), true, start + seconds(60));
        inventory.listed(&ids(&["a-1"]), false, start + seconds(600));
        assert!(inventory.is_known_in_use(&id("a-0")) && inventory.is_known_in_use(&id("a-1")));
        assert!(!inventory.may_be_in_use(&id("a-2")));
    }

    #[test]
    fn one_whose_pod_never_came_is_free_in_the_end() {
        let start = Instant::now();
        let mut inventory = inventory(start);
        inventory.listed(&ids(&[]), true, start + seconds(60));
        inventory.give(&id("a-0"), start + seconds(70));
        inventory.listed(&ids(&[]), true, start + seconds(79));
        assert!(inventory.is_known_in_use(&id("a-0")));
        inventory.listed(&ids(&[]), true, start + seconds(80));
        assert!(!inventory.may_be_in_use(&id("a-0")));
    }

    /// The pod before has ended and the id was given away again, both between two lists.
    #[test]
    fn one_that_was_given_again_stays_in_use() {
        let start = Instant::now();
        let mut inventory = inventory(start);
        inventory.listed(&ids(&["a-0"]), true, start);
        inventory.give(&id("a-0"), start + seconds(5));
        inventory.listed(&ids(&[]), true, start + seconds(10));
        assert!(inventory.is_known_in_use(&id("a-0")));
    }

    #[test]
    fn the_longest_unused_is_preferred() {
        let now = Instant::now();
        let numbers = (0..12).map(|n| id(&format!("a-{n}")));
        let mut inventory = Inventory::new(numbers, now);
        for given in ["a-0", "a-2", "a-1"] {
            inventory.give(&id(given), now);
        }
        let available: Vec<String> =
            ["a-11", "a-1", "a-10", "a-2", "a-9", "a-0"].iter().map(|id| id.to_string()).collect();
        let prefer = |must: &[&str], size| {
            let must: Vec<String> = must.iter().map(|id| id.to_string()).collect();
            inventory.prefer(&available, &must, size)
        };
        assert_eq!(prefer(&[], 5), ["a-9", "a-10", "a-11", "a-0", "a-2"]);
        assert_eq!(prefer(&["a-1"], 2), ["a-1", "a-9"]);
        assert_eq!(prefer(&["a-1", "a-2"], 1), ["a-1"]);
        assert_eq!(prefer(&[], 9).len(), 6);
    }

    #[test]
    fn a_restart_of_the_switch_does_not_flap_and_an_absence_does() {
        let start = Instant::now();
        let mut health = Health::new();
        for (at, there, changed, healthy) in [
            (0, true, false, true),
            (1, false, false, true),
            (3, true, false, true),
            (4, false, false, true),
            (13, false, false, true),
            (14, false, true, false),
            (60, false, false, false),
            (61, true, true, true),
            (62, false, false, true),
        ] {
            assert_eq!(health.seen(there, start + seconds(at)), changed, "at {at}");
            assert_eq!(health.healthy(), healthy, "at {at}");
        }
    }
}
