use std::{fmt, str::FromStr};

use super::Quoted;

/// A unicast Ethernet address; prints in lower case with colons, the only form libvirt accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr([u8; 6]);

/// Why a string is not a valid MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// Not six octets of two hex digits.
    #[error("{} is not a MAC address: expected six octets of two hex digits, separated by ':' or '-'", Quoted(.0))]
    Malformed(String),
    /// The group bit is set, so no NIC can own it.
    #[error("{} is a multicast address: the first octet must be even", Quoted(.0))]
    Multicast(String),
    /// All octets are zero.
    #[error("{} is the zero address", Quoted(.0))]
    Zero(String),
}

impl MacAddr {
    /// A locally administered unicast address made of these octets: bit 1 of the first is set, bit 0 cleared.
    pub fn local(mut octets: [u8; 6]) -> Self {
        octets[0] = (octets[0] & 0xfc) | 2;
        Self(octets)
    }
}

impl FromStr for MacAddr {
    type Err = MacError;

    /// Accepts what KubeVirt's admission accepts (Go's `net.ParseMAC` with six octets): `02:ab:…`, `02-AB-…` and
    /// `02ab.cd11.22ef`. Refuses multicast and zero, which KubeVirt does not.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let octets = octets(text).ok_or_else(|| MacError::Malformed(text.to_owned()))?;
        if octets == [0; 6] {
            return Err(MacError::Zero(text.to_owned()));
        }
        if octets[0] & 1 == 1 {
            return Err(MacError::Multicast(text.to_owned()));
        }
        Ok(Self(octets))
    }
}

fn octets(text: &str) -> Option<[u8; 6]> {
    let bytes = text.as_bytes();
    let (separator, group) = match (bytes.get(2), bytes.get(4)) {
        (Some(&s @ (b':' | b'-')), _) => (s, 2),
        (_, Some(&b'.')) => (b'.', 4),
        _ => return None,
    };
    let mut digits = Vec::with_capacity(12);
    for part in bytes.split(|&b| b == separator) {
        if part.len() != group {
            return None;
        }
        digits.extend_from_slice(part);
    }
    let mut octets = [0; 6];
    if digits.len() != 2 * octets.len() {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
        *octet = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
    }
    Some(octets)
}

// Not `u8::from_str_radix`, which accepts "+f".
fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_every_form_that_kubevirt_admits() {
        for text in ["02-AB-CD-11-22-EF", "02:ab:cd:11:22:ef", "02ab.cd11.22ef", "02AB.CD11.22EF"] {
            assert_eq!(text.parse::<MacAddr>().unwrap().to_string(), "02:ab:cd:11:22:ef", "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_mac_address() {
        for text in [
            "",
            "02",
            "02:ab:cd:11:22",
            "02:ab:cd:11:22:ef:00",
            "02:ab:cd:11:22:e",
            "02:ab:cd:11:22:+f",
            "02:ab-cd:11-22:ef",
            "2:ab:cd:11:22:ef",
            " 02:ab:cd:11:22:ef",
            "02ab:cd11:22ef",
            "02:ab:cd:11:22:é",
            "0000.0000.0000.0001",
        ] {
            assert_eq!(text.parse::<MacAddr>(), Err(MacError::Malformed(text.to_owned())));
        }
    }

    #[test]
    fn refuses_addresses_no_nic_can_own() {
        assert_eq!(
            "01:00:5e:00:00:01".parse::<MacAddr>().unwrap_err().to_string(),
            "'01:00:5e:00:00:01' is a multicast address: the first octet must be even"
        );
        assert_eq!(
            "00:00:00:00:00:00".parse::<MacAddr>().unwrap_err().to_string(),
            "'00:00:00:00:00:00' is the zero address"
        );
    }

    #[test]
    fn local_addresses_are_unicast() {
        assert_eq!(MacAddr::local([0xff, 1, 2, 3, 4, 5]).to_string(), "fe:01:02:03:04:05");
    }
}
