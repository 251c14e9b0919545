//! What `/readyz` says: the reasons against being ready, and what was repaired.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Ready when nobody has a reason against it. Clones share the state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readiness(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    reasons: BTreeMap<String, String>,
    repaired: Vec<String>,
}

impl Readiness {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn ready(&self, who: &str) {
        self.state().reasons.remove(who);
    }

    /// A later reason replaces an earlier one.
    pub(crate) fn not_ready(&self, who: &str, reason: impl Into<String>) {
        self.state().reasons.insert(who.to_owned(), reason.into());
    }

    /// What the last repair has fixed.
    pub(crate) fn repaired(&self, what: Vec<String>) {
        self.state().repaired = what;
    }

    /// A line for each reason.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.state().reasons.iter().map(|(who, reason)| format!("{who}: {reason}")).collect()
    }

    /// The page: whether it is ready, and its lines.
    pub(crate) fn page(&self) -> (bool, String) {
        let mut lines = self.reasons();
        let ready = lines.is_empty();
        if ready {
            lines.push("ready".to_owned());
        }
        lines.extend(self.state().repaired.iter().map(|what| format!("fixed: {what}")));
        (ready, lines.iter().map(|line| line.replace('\n', " ") + "\n").collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_reason() {
        let readiness = Readiness::new();
        assert_eq!(readiness.page(), (true, "ready\n".to_owned()));
        readiness.not_ready("b", "starting");
        readiness.clone().not_ready("a", "no kubelet\nin /x");
        readiness.not_ready("b", "refused");
        readiness.repaired(vec!["c".to_owned()]);
        assert_eq!(readiness.page(), (false, "a: no kubelet in /x\nb: refused\nfixed: c\n".to_owned()));
        readiness.ready("a");
        readiness.ready("a");
        readiness.ready("never heard of");
        assert_eq!(readiness.reasons(), ["b: refused"]);
        readiness.ready("b");
        assert_eq!(readiness.page(), (true, "ready\nfixed: c\n".to_owned()));
    }
}
