use std::{fmt, str::FromStr};

use super::Quoted;

/// A PCI address as in a VMI's `pciAddress`: domain, bus, slot and function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PciAddress {
    domain: u16,
    bus: u8,
    slot: u8,
    function: u8,
}

/// A string that is not a complete PCI address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a PCI address: expected the form '0000:81:01.0', with a slot up to 1f and a function up to 7", Quoted(.0))]
pub struct PciAddressError(pub String);

impl FromStr for PciAddress {
    type Err = PciAddressError;

    /// Accepts the one form KubeVirt accepts (`hardware.ParsePciAddress`): `dddd:bb:ss.f`, all hexadecimal.
    fn from_str(text: &str) -> Result<Self, PciAddressError> {
        parse(text).ok_or_else(|| PciAddressError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (slot, function) = rest.split_once('.')?;
    let address = PciAddress {
        domain: hex(domain, 4)?,
        bus: u8::try_from(hex(bus, 2)?).ok()?,
        slot: u8::try_from(hex(slot, 2)?).ok()?,
        function: u8::try_from(hex(function, 1)?).ok()?,
    };
    (address.slot <= 0x1f && address.function <= 7).then_some(address)
}

fn hex(digits: &str, length: usize) -> Option<u16> {
    let plain = digits.len() == length && digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

impl PciAddress {
    /// The attributes of libvirt's `<address type="pci">`, in its order.
    pub fn attributes(self) -> [(&'static str, String); 4] {
        [
            ("domain", format!("0x{:04x}", self.domain)),
            ("bus", format!("0x{:02x}", self.bus)),
            ("slot", format!("0x{:02x}", self.slot)),
            ("function", format!("0x{:x}", self.function)),
        ]
    }
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:02x}:{:02x}.{:x}", self.domain, self.bus, self.slot, self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        for text in ["0000:00:00.0", "0001:81:1f.7"] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), text);
        }
        let attributes = "0001:81:1F.7".parse::<PciAddress>().unwrap().attributes();
        assert_eq!(attributes.map(|(_, value)| value), ["0x0001", "0x81", "0x1f", "0x7"]);
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "81:00.0",
            "0000:81:20.0",
            "0000:81:00.8",
            "0000:81:00",
            "+000:81:00.0",
            "0000:81:0.0",
            "0000:81:00.0 ",
        ] {
            assert_eq!(text.parse::<PciAddress>(), Err(PciAddressError(text.to_owned())));
        }
    }
}
