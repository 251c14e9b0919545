use std::fmt;

/// The most queue pairs that DPDK's vhost library takes (`VHOST_MAX_QUEUE_PAIRS`). With more, QEMU never
/// finishes its start: "you are asking more queues than supported: 128".
pub const DPDK_MAX_QUEUE_PAIRS: u16 = 128;

/// A number of queue pairs, 1 to [`DPDK_MAX_QUEUE_PAIRS`]. A pair is one receive and one transmit ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueuePairs(u16);

impl QueuePairs {
    /// DPDK's own limit.
    pub const MAX: Self = Self(DPDK_MAX_QUEUE_PAIRS);

    /// Exactly this many, or nothing when out of range.
    pub fn new(pairs: u64) -> Option<Self> {
        let pairs = u16::try_from(pairs).ok()?;
        (1..=DPDK_MAX_QUEUE_PAIRS).contains(&pairs).then_some(Self(pairs))
    }

    /// As many of `wanted` as `limit` allows, and at least one. The second value says whether some were cut.
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

/// The number of descriptors in one ring: a power of two, 256 to 1024, the bounds of QEMU's virtio-net for a
/// vhost-user peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RingSize(u16);

/// A ring size that QEMU would refuse at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ring of {0} descriptors: it must be 256, 512 or 1024")]
pub struct RingSizeError(pub u64);

impl RingSize {
    /// The largest, and the default.
    pub const MAX: Self = Self(1024);
}

impl TryFrom<u64> for RingSize {
    type Error = RingSizeError;

    fn try_from(descriptors: u64) -> Result<Self, RingSizeError> {
        match descriptors {
            256 => Ok(Self(256)),
            512 => Ok(Self(512)),
            1024 => Ok(Self(1024)),
            _ => Err(RingSizeError(descriptors)),
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
    fn ring_sizes_are_the_three_that_qemu_takes() {
        for good in [256, 512, 1024] {
            assert_eq!(RingSize::try_from(good).unwrap().to_string(), good.to_string());
        }
        for bad in [0, 128, 300, 1000, 2048] {
            assert_eq!(RingSize::try_from(bad), Err(RingSizeError(bad)));
        }
    }
}
