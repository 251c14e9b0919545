//! How metrics show the ports that the CNI plugin has made: their states and labels.

use super::database::InterfaceRow;
use vocabulary::marks;

/// Between a launcher pod's name and the VM's.
const LAUNCHER: &str = "virt-launcher-";

/// How many characters Kubernetes appends to a pod's name, and from which (`names.SimpleNameGenerator`).
const SUFFIX: (usize, &str) = (5, "bcdfghjklmnpqrstvwxz2456789");

/// Whether packets can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Both ends are there.
    Connected,
    /// The switch waits for the guest.
    WaitingForGuest,
    /// Both ends are there, and the guest's driver is not.
    LinkDown,
    /// The switch could not make the port.
    Failed,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Connected, Self::WaitingForGuest, Self::LinkDown, Self::Failed];

    /// The label's value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::WaitingForGuest => "waiting_for_guest",
            Self::LinkDown => "link_down",
            Self::Failed => "failed",
        }
    }
}

impl InterfaceRow {
    pub(crate) fn state(&self) -> State {
        match (self.is_connected(), self.link_state.as_deref()) {
            _ if self.error.is_some() || self.ofport == Some(-1) => State::Failed,
            (false, _) => State::WaitingForGuest,
            (true, Some("up")) => State::Connected,
            (true, _) => State::LinkDown,
        }
    }

    /// Queue pairs that the guest has set up: a ring for each direction.
    pub(crate) fn queue_pairs(&self) -> Option<i64> {
        let vrings: i64 = self.status.get("num_of_vrings")?.parse().ok()?;
        Some(vrings / 2)
    }

    pub(crate) fn labels(&self) -> [(&'static str, &str); 8] {
        let pod = self.mark(marks::POD_NAME);
        [
            ("namespace", self.mark(marks::POD_NAMESPACE)),
            ("pod", pod),
            ("nad", self.mark(marks::NETWORK)),
            ("interface", self.mark(marks::IFNAME)),
            // Empty if the pod is not a VM's launcher.
            ("vm", vm_of(pod).unwrap_or_default()),
            ("bridge", &self.bridge),
            ("port", &self.name),
            ("device", self.mark(marks::DEVICE)),
        ]
    }
}

/// The VM whose launcher a pod is. KubeVirt asks for the name `virt-launcher-<vm>-` and Kubernetes appends its five
/// characters; a name that was cut because it was too long is not recognised.
fn vm_of(pod: &str) -> Option<&str> {
    let rest = pod.strip_prefix(LAUNCHER)?;
    let (vm, suffix) = rest.rsplit_once('-')?;
    let (length, alphabet) = SUFFIX;
    let generated = suffix.len() == length && suffix.chars().all(|c| alphabet.contains(c));
    (generated && !vm.is_empty()).then_some(vm)
}

#[cfg(test)]
pub(crate) mod tests;
