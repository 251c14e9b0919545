use std::{fmt, str::FromStr};

use super::{Quoted, short_digest};

/// A network of the VMI; KubeVirt gives the interface the same name.
///
/// ASCII letters, digits, `-` and `_`, at least one: what KubeVirt's admission accepts (`validateInterfaceNameFormat`)
/// and, with the prefix `ua-`, what libvirt accepts as an alias.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkName(String);

/// A string that cannot be a network's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid network name {}: expected letters, digits, '-' and '_'", Quoted(.0))]
pub struct NameError(pub String);

impl NetworkName {
    /// The name as in the VMI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// KubeVirt's name for the interface in the pod: `pod` and the first 11 hex digits of the name's SHA-256
    /// (`pkg/network/namescheme`). Always 14 bytes and a safe file name, the same on every node.
    pub fn pod_interface(&self) -> String {
        ["pod", &short_digest(&self.0, 11)].concat()
    }

    /// The libvirt alias by which KubeVirt finds the NIC again: `ua-` and the name.
    pub fn alias(&self) -> String {
        ["ua-", &self.0].concat()
    }
}

impl FromStr for NetworkName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !text.is_empty() && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.to_owned()))
        }
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_kubevirt_admits_and_nothing_else() {
        for good in ["net1", "A-b_9", "-", &"x".repeat(63)] {
            assert_eq!(good.parse::<NetworkName>().unwrap().as_str(), good);
        }
        for bad in ["", "a.b", "a/b", "..", "a b", "žluť", "a\0"] {
            assert_eq!(bad.parse::<NetworkName>(), Err(NameError(bad.to_owned())));
        }
    }

    /// The value is KubeVirt's own for a network called `net1`; links of released versions depend on it.
    #[test]
    fn the_pod_interface_name_is_frozen() {
        let pod = |name: &str| name.parse::<NetworkName>().unwrap().pod_interface();
        assert_eq!(pod("net1"), "pod6c270ef2f25");
        assert_eq!(pod("net1").len(), 14);
    }
}
