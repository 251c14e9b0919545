//! The kubelet: which devices pods have, and whether all processes of the node are seen from here.

use std::{path::Path, time::Duration};

use super::scope;
use crate::kubelet::{Asked, Listing, ask};

/// What it has said.
pub(super) struct Kubelet {
    listing: Option<Listing>,
    /// Its process can be seen from here. Pods' processes are in its PID namespace or below, so these can be, too.
    pub(super) is_seen: bool,
}

impl Kubelet {
    /// Without a configuration the resources' names are not known, so nothing of devices.
    pub(super) fn ask(socket: &Path, domain: Option<&str>, answer: Duration) -> Self {
        let Asked { process, listing } = ask(socket, domain.unwrap_or_default(), answer);
        // One that has just started lists no pods until it has heard of them.
        let listing = listing.filter(|listing| domain.is_some() && !listing.pods.is_empty());
        Self { listing, is_seen: process.is_some() }
    }

    /// Whether a pod has the device; nothing if it is not known.
    pub(super) fn in_use(&self, device: &scope::Device) -> Option<bool> {
        let device = (device.resource.clone(), device.id.to_string());
        self.listing.as_ref().map(|listing| listing.devices.contains(&device))
    }
}
