use std::collections::VecDeque;

use crate::attachment::Resolved;

/// A pod has one VMI; more come from tests only. Bounded all the same.
const VMIS: usize = 64;

/// What the calls of one boot have resolved, for the life of the process.
///
/// KubeVirt cannot recover from an error in a later call of the same boot: the domain of the first call stays
/// defined, and a retry starts it without asking again. So what one call found, the next must not lose.
#[derive(Debug, Default)]
pub(super) struct ResolvedCache(VecDeque<(String, Resolved)>);

impl ResolvedCache {
    /// What is known of a VMI.
    pub(super) fn recall(&self, vmi: &str) -> Option<&Resolved> {
        self.0.iter().find(|(key, _)| key == vmi).map(|(_, resolved)| resolved)
    }

    /// Replaces the entry after a successful call.
    pub(super) fn keep(&mut self, vmi: &str, resolved: Resolved) {
        self.0.retain(|(key, _)| key != vmi);
        if self.0.len() == VMIS {
            self.0.pop_front();
        }
        self.0.push_back((vmi.to_owned(), resolved));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::Attachment;
    use vocabulary::{ComputePath, NetworkName, SocketMode};

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
        Resolved { own: map(own), others: map(others), ..Resolved::default() }
    }

    #[test]
    fn for_each_network_the_first_answer_wins() {
        let first = resolved(&[("a", "/x/1/s")], &[("o", "/x/9/s"), ("b", "/x/6/s")]);
        let later = resolved(
            &[("a", "/x/2/s"), ("b", "/x/3/s")],
            &[("o", "/x/8/s"), ("a", "/x/7/s"), ("p", "/x/5/s")],
        );
        let joined = first.joined(later);
        let expected = resolved(&[("a", "/x/1/s"), ("b", "/x/3/s")], &[("o", "/x/9/s"), ("p", "/x/5/s")]);
        assert_eq!((joined.own, joined.others), (expected.own, expected.others));
    }

    #[test]
    fn it_is_bounded() {
        let mut cache = ResolvedCache::default();
        for vmi in 0..=VMIS {
            cache.keep(&vmi.to_string(), resolved(&[("a", "/x/1/s")], &[]));
        }
        assert!(cache.recall("0").is_none());
        assert!(cache.recall("1").is_some());
        assert!(cache.recall(&VMIS.to_string()).is_some());
    }
}
