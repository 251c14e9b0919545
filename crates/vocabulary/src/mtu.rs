use std::str::FromStr;

use super::{Expected, expected::whole};

/// A NIC's MTU in bytes, 68–65535.
///
/// QEMU silently treats 0 and 67 as "none" and exits at start on 65536 (`Parameter 'host_mtu' expects uint16_t`),
/// so no other value is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mtu(u16);

/// An MTU outside 68–65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid MTU {0}: expected 68 to 65535 bytes")]
pub struct MtuError(pub i64);

impl Mtu {
    /// The smallest MTU that virtio-net accepts, in bytes (the least an IPv4 link must carry, RFC 791).
    pub const MIN: u16 = 68;

    /// The default of a virtio-net device: 1500 bytes need no entry in the domain.
    pub const ETHERNET: Self = Self(1500);

    /// The MTU in bytes.
    pub fn bytes(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for Mtu {
    type Error = MtuError;

    fn try_from(bytes: i64) -> Result<Self, MtuError> {
        match u16::try_from(bytes) {
            Ok(mtu) if mtu >= Self::MIN => Ok(Self(mtu)),
            _ => Err(MtuError(bytes)),
        }
    }
}

impl FromStr for Mtu {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let bytes = whole(text).and_then(|bytes| i64::try_from(bytes).ok());
        let mtu = bytes.and_then(|bytes| Self::try_from(bytes).ok());
        mtu.ok_or(Expected("a whole number of bytes from 68 to 65535"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_its_range() {
        for good in [68, 1500, 65535] {
            assert_eq!(i64::from(Mtu::try_from(good).unwrap().bytes()), good);
        }
        for bad in [i64::MIN, -1, 0, 67, 65536, i64::MAX] {
            assert_eq!(Mtu::try_from(bad), Err(MtuError(bad)));
        }
        assert_eq!(MtuError(67).to_string(), "invalid MTU 67: expected 68 to 65535 bytes");
        assert_eq!("9000".parse(), Ok(Mtu(9000)));
        for bad in ["", "67", "65536", "+68", "1500B", "99999999999999999999"] {
            let error = bad.parse::<Mtu>().unwrap_err();
            assert_eq!(error.to_string(), "expected a whole number of bytes from 68 to 65535", "{bad}");
        }
    }
}
