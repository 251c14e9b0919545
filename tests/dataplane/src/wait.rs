//! Waiting for something to become true: always with a deadline, never a fixed sleep.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const POLL: Duration = Duration::from_millis(20);

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Polls until `probe` gives a value. `what` completes the sentence "waited N s for ...".
pub fn until_some<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(value) = probe() {
            return Ok(value);
        }
        if started.elapsed() > limit {
            bail!("waited {} s for {what}", limit.as_secs());
        }
        sleep(POLL);
    }
}

pub fn until(what: &str, limit: Duration, mut probe: impl FnMut() -> bool) -> Result<()> {
    until_some(what, limit, || probe().then_some(()))
}
