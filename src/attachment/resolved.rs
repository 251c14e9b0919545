use std::collections::BTreeSet;

use crate::plan::{Attachments, Warning};
use vocabulary::{NetworkName, Quoted};

/// Attachments of our networks, and of those of other sidecars that the same sources list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resolved {
    pub(crate) own: Attachments,
    /// As far as they are there and usable; never waited for.
    pub(crate) others: Attachments,
    /// Others' vhost-user networks that are there and not usable.
    pub(crate) unusable: BTreeSet<NetworkName>,
    pub(crate) warnings: Vec<Warning>,
}

impl Resolved {
    /// Merges later findings; for each network the first answer wins.
    ///
    /// A later call must not refuse what an earlier one accepted, so another sidecar's late network with one of our
    /// sockets is skipped.
    pub(crate) fn joined(mut self, later: Self) -> Self {
        let known: Vec<_> = self.own.values().cloned().collect();
        for (network, attachment) in later.own {
            self.others.remove(&network);
            self.own.entry(network).or_insert(attachment);
        }
        (self.warnings, self.unusable) = (later.warnings, later.unusable);
        for (network, attachment) in later.others {
            if self.own.contains_key(&network) {
                continue;
            }
            if known.iter().any(|own| own.socket == attachment.socket) {
                let reason =
                    format!("its socket {} belongs to one of our NICs", Quoted(attachment.socket.as_str()));
                self.warnings.push(Warning::OtherSkipped { network: network.to_string(), reason });
                continue;
            }
            self.others.entry(network).or_insert(attachment);
        }
        self
    }
}
