//! How a resource stands with the kubelet, and what is to be done next. Pure: time and observations come in.

use std::time::Duration;

use tokio::time::Instant;

use super::socket::FileId;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// After the first attempt that failed; each further one waits twice as long.
    pub(super) first: Duration,
    /// The longest wait between two attempts.
    pub(super) last: Duration,
    /// A registered plugin without a stream is forgotten after this. The kubelet itself never opens another one, but
    /// it needs a moment to notice that the last has ended, and up to then takes a registration for a duplicate.
    pub(super) forgotten: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            last: Duration::from_secs(10),
            forgotten: Duration::from_secs(5),
        }
    }
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Another kubelet is there, or none any more: forget the streams, and ask again.
    Another,
    /// Register.
    Register,
    /// Nothing before that time, or before something changes.
    Wait(Option<Instant>),
}

/// How the resource stands.
#[derive(Debug)]
pub(super) struct Standing {
    timing: Timing,
    kubelet: Option<FileId>,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Not registered; the next attempt is due then, and if it fails too, another `delay` later.
    Out { due: Option<Instant>, delay: Duration },
    /// Registered, and without a stream since then.
    In { silent: Option<Instant> },
}

impl Standing {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, kubelet: None, state: State::Out { due: None, delay: timing.first } }
    }

    /// What to do, given which kubelet.sock is there and whether its kubelet has a stream open.
    pub(super) fn step(&mut self, now: Instant, kubelet: Option<FileId>, stream: bool) -> Step {
        if self.kubelet != kubelet {
            self.kubelet = kubelet;
            self.state = self.at_once();
            return Step::Another;
        }
        if kubelet.is_none() {
            return Step::Wait(None);
        }
        match self.state {
            State::Out { due: Some(due), .. } if due > now => Step::Wait(Some(due)),
            State::Out { .. } => Step::Register,
            State::In { .. } if stream => {
                self.state = State::In { silent: None };
                Step::Wait(None)
            }
            State::In { silent } => self.silent(silent.unwrap_or(now), now),
        }
    }

    fn silent(&mut self, since: Instant, now: Instant) -> Step {
        let forgotten = since + self.timing.forgotten;
        if forgotten <= now {
            self.state = self.at_once();
            return Step::Register;
        }
        self.state = State::In { silent: Some(since) };
        Step::Wait(Some(forgotten))
    }

    /// The kubelet took the registration.
    pub(super) fn registered(&mut self, now: Instant) {
        self.state = State::In { silent: Some(now) };
    }

    /// It did not.
    pub(super) fn refused(&mut self, now: Instant) {
        let delay = match self.state {
            State::Out { delay, .. } => delay,
            State::In { .. } => self.timing.first,
        };
        self.state = State::Out { due: Some(now + delay), delay: (delay * 2).min(self.timing.last) };
    }

    /// Whether there is a kubelet.
    pub(super) fn has_kubelet(&self) -> bool {
        self.kubelet.is_some()
    }

    /// Whether the last registration still holds, as far as is known.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.state, State::In { .. })
    }

    fn at_once(&self) -> State {
        State::Out { due: None, delay: self.timing.first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn kubelet(inode: u64) -> Option<FileId> {
        Some(FileId::example(inode))
    }

    #[test]
    fn registers_as_soon_as_there_is_a_kubelet() {
        let (now, mut standing) = (Instant::now(), Standing::new(Timing::default()));
        assert_eq!(standing.step(now, None, false), Step::Wait(None));
        assert!(!standing.has_kubelet());
        assert_eq!(standing.step(now, kubelet(1), false), Step::Another);
        assert_eq!(standing.step(now, kubelet(1), false), Step::Register);
        assert!(standing.has_kubelet() && !standing.is_registered());
        standing.registered(now);
        assert!(standing.is_registered());
        assert_eq!(standing.step(now, kubelet(1), true), Step::Wait(None));
    }

    #[test]
    fn waits_twice_as_long_after_each_failure() {
        let (mut now, mut standing) = (Instant::now(), Standing::new(Timing::default()));
        standing.step(now, kubelet(1), false);
        for wait in [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000] {
            assert_eq!(standing.step(now, kubelet(1), false), Step::Register);
            standing.refused(now);
            assert_eq!(standing.step(now, kubelet(1), false), Step::Wait(Some(now + wait * MS)));
            now += wait * MS;
        }
        // A new kubelet is asked at once, and waited for as shortly as the first.
        assert_eq!(standing.step(now, kubelet(2), false), Step::Another);
        assert_eq!(standing.step(now, kubelet(2), false), Step::Register);
        standing.refused(now);
        assert_eq!(standing.step(now, kubelet(2), false), Step::Wait(Some(now + 100 * MS)));
    }

    #[test]
    fn is_forgotten_five_seconds_after_the_last_stream() {
        let (mut now, mut standing) = (Instant::now(), Standing::new(Timing::default()));
        standing.step(now, kubelet(1), false);
        standing.registered(now);
        assert_eq!(standing.step(now, kubelet(1), false), Step::Wait(Some(now + 5000 * MS)));
        assert_eq!(standing.step(now + 4999 * MS, kubelet(1), false), Step::Wait(Some(now + 5000 * MS)));
        assert_eq!(standing.step(now + 4999 * MS, kubelet(1), true), Step::Wait(None));

        now += 60_000 * MS;
        assert_eq!(standing.step(now, kubelet(1), false), Step::Wait(Some(now + 5000 * MS)));
        assert!(standing.is_registered());
        assert_eq!(standing.step(now + 5000 * MS, kubelet(1), false), Step::Register);
        assert!(!standing.is_registered());
    }

    #[test]
    fn another_kubelet_ends_every_registration() {
        let (now, mut standing) = (Instant::now(), Standing::new(Timing::default()));
        standing.step(now, kubelet(1), false);
        standing.registered(now);
        for next in [None, kubelet(2)] {
            assert_eq!(standing.step(now, next, true), Step::Another);
            assert!(!standing.is_registered());
        }
        assert_eq!(standing.step(now, kubelet(2), false), Step::Register);
    }
}
