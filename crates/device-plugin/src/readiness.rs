//! What still stands in the way of being ready, by whom.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

/// Ready when nobody has a reason against it. Clones share the reasons.
#[derive(Debug, Clone)]
pub(crate) struct Readiness(Arc<watch::Sender<BTreeMap<String, String>>>);

impl Readiness {
    /// Ready, until somebody says otherwise.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }

    /// This one is ready.
    pub(crate) fn ready(&self, who: &str) {
        self.0.send_if_modified(|reasons| reasons.remove(who).is_some());
    }

    /// This one is not. A later reason takes the place of an earlier one.
    pub(crate) fn not_ready(&self, who: &str, reason: impl Into<String>) {
        let reason = reason.into();
        self.0.send_if_modified(|reasons| reasons.insert(who.to_owned(), reason.clone()) != Some(reason));
    }

    /// A line for each reason.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.0.borrow().iter().map(|(who, reason)| format!("{who}: {reason}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_reason() {
        let readiness = Readiness::new();
        assert_eq!(readiness.reasons(), [""; 0]);
        readiness.not_ready("b", "starting");
        readiness.clone().not_ready("a", "no kubelet");
        readiness.not_ready("b", "refused");
        assert_eq!(readiness.reasons(), ["a: no kubelet", "b: refused"]);
        readiness.ready("a");
        readiness.ready("a");
        readiness.ready("never heard of");
        assert_eq!(readiness.reasons(), ["b: refused"]);
    }
}
