//! When a resource registers with the kubelet. Pure: time and observations are arguments.

use std::time::Duration;

use tokio::time::Instant;

use super::socket::FileId;

#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// Time between two looks at the kubelet's directory.
    pub(super) look: Duration,
    /// The wait after the first failed attempt; it doubles with each further one.
    pub(super) first: Duration,
    /// The longest wait between two attempts.
    pub(super) last: Duration,
    /// How long a registered plugin may be without a stream before it registers again. The kubelet never reopens a
    /// stream by itself, but until it has noticed that the last one ended it takes a registration for a duplicate.
    pub(super) silence: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { look: second, first: second, last: 10 * second, silence: 5 * second }
    }
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is no kubelet.
    NoKubelet,
    Register,
    /// The last attempt failed, and the next one is not due yet.
    Wait,
    /// Registered, but the kubelet has no stream open.
    Silent,
    /// Registered, and the kubelet has a stream open.
    Listening,
}

#[derive(Debug)]
pub(super) struct Schedule {
    timing: Timing,
    kubelet: Option<FileId>,
    registered: bool,
    /// The next attempt, unless the kubelet listens by then.
    due: Option<Instant>,
    delay: Duration,
}

impl Schedule {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, kubelet: None, registered: false, due: None, delay: timing.first }
    }

    /// Takes note of the kubelet that is there now. Returns true if it is not the one of the last look: a new inode is a
    /// new kubelet, which knows nothing of earlier registrations.
    pub(super) fn is_another(&mut self, kubelet: Option<FileId>) -> bool {
        let another = self.kubelet != kubelet;
        if another {
            *self = Self { kubelet, ..Self::new(self.timing) };
        }
        another
    }

    pub(super) fn step(&mut self, now: Instant, has_stream: bool) -> Step {
        if self.kubelet.is_none() {
            return Step::NoKubelet;
        }
        if self.registered && has_stream {
            self.due = Some(now + self.timing.silence);
            return Step::Listening;
        }
        match self.due {
            Some(due) if now < due && self.registered => Step::Silent,
            Some(due) if now < due => Step::Wait,
            _ => Step::Register,
        }
    }

    /// The kubelet accepted the registration.
    pub(super) fn accepted(&mut self, now: Instant) {
        (self.registered, self.delay) = (true, self.timing.first);
        self.due = Some(now + self.timing.silence);
    }

    /// It did not.
    pub(super) fn failed(&mut self, now: Instant) {
        (self.registered, self.due) = (false, Some(now + self.delay));
        self.delay = (self.delay * 2).min(self.timing.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn with_kubelet(inode: u64) -> Schedule {
        let mut schedule = Schedule::new(Timing::default());
        assert!(schedule.is_another(Some(FileId::example(inode))));
        schedule
    }

    #[test]
    fn registers_as_soon_as_there_is_a_kubelet() {
        let (now, mut schedule) = (Instant::now(), Schedule::new(Timing::default()));
        assert_eq!(schedule.step(now, false), Step::NoKubelet);
        assert!(schedule.is_another(Some(FileId::example(1))));
        assert!(!schedule.is_another(Some(FileId::example(1))));
        // A stream that an earlier kubelet has left open does not count.
        assert_eq!(schedule.step(now, true), Step::Register);
        schedule.accepted(now);
        assert_eq!(schedule.step(now, false), Step::Silent);
        assert_eq!(schedule.step(now, true), Step::Listening);
    }

    #[test]
    fn waits_twice_as_long_after_each_failure() {
        let (mut now, mut schedule) = (Instant::now(), with_kubelet(1));
        for wait in [1, 2, 4, 8, 10, 10] {
            assert_eq!(schedule.step(now, false), Step::Register);
            schedule.failed(now);
            assert_eq!(schedule.step(now + wait * SECOND - SECOND / 2, false), Step::Wait);
            now += wait * SECOND;
        }
        // A new kubelet is asked at once, and waited for as shortly as the first.
        assert!(schedule.is_another(Some(FileId::example(2))));
        assert_eq!(schedule.step(now, false), Step::Register);
        schedule.failed(now);
        assert_eq!(schedule.step(now + SECOND, false), Step::Register);
    }

    #[test]
    fn registers_again_five_seconds_after_the_last_stream() {
        let (mut now, mut schedule) = (Instant::now(), with_kubelet(1));
        schedule.accepted(now);
        assert_eq!(schedule.step(now + 4 * SECOND, false), Step::Silent);
        assert_eq!(schedule.step(now + 5 * SECOND, false), Step::Register);
        now += 60 * SECOND;
        assert_eq!(schedule.step(now, true), Step::Listening);
        assert_eq!(schedule.step(now + 4 * SECOND, false), Step::Silent);
        assert_eq!(schedule.step(now + 5 * SECOND, false), Step::Register);
        // One failed attempt later the plugin no longer counts as registered.
        schedule.failed(now + 5 * SECOND);
        assert_eq!(schedule.step(now + 5 * SECOND, true), Step::Wait);
    }

    #[test]
    fn another_kubelet_ends_every_registration() {
        let (now, mut schedule) = (Instant::now(), with_kubelet(1));
        schedule.accepted(now);
        assert!(schedule.is_another(None));
        assert_eq!(schedule.step(now, true), Step::NoKubelet);
        assert!(schedule.is_another(Some(FileId::example(2))));
        assert_eq!(schedule.step(now, true), Step::Register);
    }
}
