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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        attachment::Attachment,
        vhostuser::{ComputePath, SocketMode},
    };

    fn attachment(path: &str) -> Attachment {
        Attachment {
            socket: ComputePath::file(path).unwrap(),
            mode: SocketMode::Server,
            mac: None,
            mtu: None,
            file: "f".to_owned(),
        }
    }

    fn name(name: &str) -> NetworkName {
        name.parse().unwrap()
    }

    fn resolved(own: &[(&str, &str)], others: &[(&str, &str)]) -> Resolved {
        let map =
            |list: &[(&str, &str)]| list.iter().map(|(net, path)| (name(net), attachment(path))).collect();
        Resolved { own: map(own), others: map(others), notes: Vec::new() }
    }

    #[test]
    fn the_first_word_about_a_network_stands() {
        let mut memory = Memory::default();
        memory.keep("vmi", resolved(&[("a", "/1/s")], &[("o", "/9/s")]));
        memory.keep("vmi", resolved(&[("a", "/2/s"), ("b", "/3/s")], &[("o", "/8/s"), ("a", "/7/s")]));
        let known = memory.recall("vmi").unwrap();
        assert_eq!(known.own, resolved(&[("a", "/1/s"), ("b", "/3/s")], &[]).own);
        assert_eq!(known.others, resolved(&[], &[("o", "/9/s")]).others);
        assert!(memory.knows("vmi", &[name("a"), name("b")]));
        assert!(!memory.knows("vmi", &[name("a"), name("o")]));
        assert!(memory.recall("other").is_none());
    }

    #[test]
    fn it_is_bounded() {
        let mut memory = Memory::default();
        for vmi in 0..=VMIS {
            memory.keep(&vmi.to_string(), resolved(&[("a", "/1/s")], &[]));
        }
        assert!(memory.recall("0").is_none());
        assert!(memory.recall("1").is_some());
        assert!(memory.recall(&VMIS.to_string()).is_some());
    }
}
