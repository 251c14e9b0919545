use std::{fmt, num::NonZeroU32, str::FromStr};

use super::{Expected, expected::whole};

/// Seconds between QEMU's attempts to connect in client mode, 1 to 3600.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReconnectTimeout(NonZeroU32);

impl ReconnectTimeout {
    /// The shortest, and the default: one second.
    pub const MIN: Self = Self(NonZeroU32::MIN);

    const MAX: u64 = 3600;

    /// The time in seconds.
    pub fn seconds(self) -> NonZeroU32 {
        self.0
    }
}

impl FromStr for ReconnectTimeout {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let seconds = whole(text).filter(|seconds| *seconds <= Self::MAX);
        let seconds = seconds.and_then(|seconds| NonZeroU32::new(u32::try_from(seconds).ok()?));
        seconds.map(Self).ok_or(Expected("a whole number of seconds from 1 to 3600"))
    }
}

impl fmt::Display for ReconnectTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_whole_number_of_seconds() {
        for good in ["1", "3600"] {
            assert_eq!(good.parse::<ReconnectTimeout>().unwrap().to_string(), good);
        }
        for bad in ["", "0", "3601", "0.5", "+1", "1s", "99999999999999999999"] {
            let error = bad.parse::<ReconnectTimeout>().unwrap_err();
            assert_eq!(error.to_string(), "expected a whole number of seconds from 1 to 3600", "{bad}");
        }
    }
}
