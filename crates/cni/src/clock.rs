//! The time that a command has, and its parts.

use std::time::{Duration, Instant};

/// The time for one command.
///
/// ```text
/// |-- forward ----------------------------------------|-- undo ---------|
/// 0                                                   3/4               1 × timeout
/// ```
///
/// Within it a question to OVSDB has a quarter for itself, so that a database that hangs is reported long before the
/// runtime loses its patience.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    timeout: Duration,
    end: Instant,
}

impl Clock {
    /// All of the time since the command's start, for commands that undo nothing.
    pub fn whole(start: Instant, timeout: Duration) -> Self {
        Self { timeout, end: start + timeout }
    }

    /// The time to go forward, and a clock for undoing what was done.
    pub fn forward(start: Instant, timeout: Duration) -> (Self, Undo) {
        (Self { timeout, end: start + timeout / 4 * 3 }, Undo { timeout, end: start + timeout })
    }

    /// When to give up a question that can be answered at once.
    pub fn answer(&self) -> Instant {
        self.end.min(Instant::now() + self.timeout / 4)
    }

    /// When to give up.
    pub fn end(&self) -> Instant {
        self.end
    }

    /// What is left of the time.
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

/// The time to undo.
#[derive(Debug, Clone, Copy)]
pub struct Undo {
    timeout: Duration,
    end: Instant,
}

impl Undo {
    /// Begins to undo.
    pub fn begin(self) -> Clock {
        Clock { timeout: self.timeout, end: self.end }
    }
}
