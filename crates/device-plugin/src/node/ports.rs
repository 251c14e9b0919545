//! What is known of the devices' ports, and which devices are kept back for it.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::Node;
use crate::kubelet::Listing;
use vocabulary::DeviceId;

impl Node {
    /// How often the switch has come, if it is there.
    pub(crate) fn returns(&self, switch: usize) -> Option<u64> {
        let state = self.state();
        let switch = &state.switches[switch];
        switch.is_there.then_some(switch.returns)
    }

    /// The devices that have a port on the switch.
    pub(crate) fn plugged(&self, switch: usize, devices: BTreeSet<DeviceId>) {
        self.state().switches[switch].plugged = devices;
    }

    pub(crate) fn unplugged(&self, switch: usize, id: &DeviceId) {
        self.state().switches[switch].plugged.remove(id);
    }

    /// Whether the device had a port at the last look.
    pub(crate) fn may_be_plugged(&self, switch: usize, id: &DeviceId) -> bool {
        self.state().switches[switch].plugged.contains(id)
    }

    /// Whether a pod has it; `None` as long as that is not known.
    pub(crate) fn is_in_use(&self, id: &DeviceId) -> Option<bool> {
        let state = self.state();
        let is_in_use = state.inventory.is_in_use(id);
        (is_in_use || !state.inventory.must_stay_healthy(id)).then_some(is_in_use)
    }

    /// Whether the kubelet certainly knows all its pods: without knowing our own pod nothing proves it.
    pub(crate) fn is_whole(&self, listing: &Listing) -> bool {
        self.own_pod.as_ref().is_some_and(|own| listing.pods.contains(own))
    }

    pub(crate) fn keeps_any_back(&self) -> bool {
        !self.state().kept_back.is_empty()
    }

    /// Gives the device to nobody as long as there is a reason; each is told once.
    pub(crate) fn keep_back(&self, id: &DeviceId, reason: Option<String>) {
        let before = match &reason {
            Some(reason) => self.state().kept_back.insert(id.clone(), reason.clone()),
            None => self.state().kept_back.remove(id),
        };
        match &reason {
            _ if before == reason => return,
            Some(reason) => warn!(device = %id, "{reason}; until then no pod gets the device"),
            None => info!(device = %id, "may be given to pods again"),
        }
        self.publish();
    }
}
