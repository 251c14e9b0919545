use std::{fmt, str::FromStr};

use super::{Expected, expected::whole};

/// The most queue pairs that DPDK's vhost library supports (`VHOST_MAX_QUEUE_PAIRS`). With more, QEMU never
/// finishes its start: "you are asking more queues than supported: 128".
pub const DPDK_MAX_QUEUE_PAIRS: u16 = 128;

/// A number of queue pairs, 1 to [`DPDK_MAX_QUEUE_PAIRS`]. A pair is one receive and one transmit ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueuePairs(u16);

impl QueuePairs {
    /// DPDK's own limit.
    pub const MAX: Self = Self(DPDK_MAX_QUEUE_PAIRS);

    /// `None` when out of range.
    pub fn new(pairs: u64) -> Option<Self> {
        let pairs = u16::try_from(pairs).ok()?;
        (1..=DPDK_MAX_QUEUE_PAIRS).contains(&pairs).then_some(Self(pairs))
    }

    /// As many of `wanted` as `limit` allows, and at least one. The second value: whether the limit applied.
    pub fn capped(wanted: u64, limit: Self) -> (Self, bool) {
        match Self::new(wanted.max(1)) {
            Some(pairs) if pairs <= limit => (pairs, false),
            _ => (limit, true),
        }
    }
}

impl fmt::Display for QueuePairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for QueuePairs {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let pairs = whole(text).and_then(Self::new);
        pairs.ok_or(Expected("a whole number of queue pairs from 1 to 128"))
    }
}

/// The number of descriptors in one ring: a power of two, 256 to 1024, the bounds of QEMU's virtio-net for a
/// vhost-user peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RingSize(u16);

impl RingSize {
    /// The largest, and the default.
    pub const MAX: Self = Self(1024);
}

impl FromStr for RingSize {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        match text {
            "256" => Ok(Self(256)),
            "512" => Ok(Self(512)),
            "1024" => Ok(Self(1024)),
            _ => Err(Expected("256, 512 or 1024 descriptors")),
        }
    }
}

impl fmt::Display for RingSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_pairs_are_capped_and_say_so() {
        let capped = |wanted, limit| {
            let (pairs, cut) = QueuePairs::capped(wanted, QueuePairs::new(limit).unwrap());
            (pairs.to_string(), cut)
        };
        assert_eq!(capped(0, 128), ("1".into(), false));
        assert_eq!(capped(4, 128), ("4".into(), false));
        assert_eq!(capped(128, 128), ("128".into(), false));
        assert_eq!(capped(129, 128), ("128".into(), true));
        assert_eq!(capped(u64::MAX, 8), ("8".into(), true));
        assert_eq!(QueuePairs::new(0), None);
        assert_eq!(QueuePairs::new(129), None);
    }

    #[test]
    fn queue_pairs_are_read_from_digits() {
        assert_eq!("128".parse(), Ok(QueuePairs::MAX));
        for bad in ["", "0", "129", "+1", "1.5", "99999999999999999999"] {
            let error = bad.parse::<QueuePairs>().unwrap_err();
            assert_eq!(error.to_string(), "expected a whole number of queue pairs from 1 to 128", "{bad}");
        }
    }

    #[test]
    fn ring_sizes_are_the_three_that_qemu_accepts() {
        for good in ["256", "512", "1024"] {
            assert_eq!(good.parse::<RingSize>().unwrap().to_string(), good);
        }
        for bad in ["", "0", "128", "300", "2048", "+256", "0256"] {
            let error = bad.parse::<RingSize>().unwrap_err();
            assert_eq!(error.to_string(), "expected 256, 512 or 1024 descriptors", "{bad}");
        }
    }
}
