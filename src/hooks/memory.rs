use std::collections::VecDeque;

use crate::{resolve::Resolved, vhostuser::NetworkName};

/// A pod has one VMI; more come from tests only. Bounded all the same.
const VMIS: usize = 64;

/// What the calls of one boot have resolved, for the life of the process.
///
/// KubeVirt cannot recover from an error in a later call of the same boot: the domain of the first call stays
/// defined, and a retry starts it without asking again. So what one call found, the next must not lose.
#[derive(Debug, Default)]
pub(super) struct Memory(VecDeque<(String, Resolved)>);

impl Memory {
    /// What is known of a VMI.
    pub(super) fn recall(&self, vmi: &str) -> Option<&Resolved> {
        self.0.iter().find(|(key, _)| key == vmi).map(|(_, resolved)| resolved)
    }

    /// Whether every one of these networks is known.
    pub(super) fn knows(&self, vmi: &str, networks: &[NetworkName]) -> bool {
        self.recall(vmi).is_some_and(|known| networks.iter().all(|network| known.own.contains_key(network)))
    }

    /// Keeps what a successful call has resolved. The first word about a network stands.
    pub(super) fn keep(&mut self, vmi: &str, resolved: Resolved) {
        if let Some((_, known)) = self.0.iter_mut().find(|(key, _)| key == vmi) {
            for (network, attachment) in resolved.own {
                known.others.remove(&network);
                known.own.entry(network).or_insert(attachment);
            }
            for (network, attachment) in resolved.others {
                if !known.own.contains_key(&network) {
                    known.others.entry(network).or_insert(attachment);
                }
            }
            return;
        }
        if self.0.len() == VMIS {
            self.0.pop_front();
        }
        self.0.push_back((vmi.to_owned(), Resolved { notes: Vec::new(), ..resolved }));
    }
}
