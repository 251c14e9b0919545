//! The MAC address of a NIC for which neither the VMI nor its attachment names one.

use sha2::{Digest, Sha256};

use crate::vmi::Vmi;
use vocabulary::{MacAddr, NetworkName};

/// The same for the life of a VM, on every node and in every release: a VM migrates between releases of this
/// sidecar, and its guest keeps the address.
///
/// The first six bytes of SHA-256 over `vhostuser-mac-v1`, namespace, firmware UUID (else the VMI's name) and
/// network, each but the last followed by a zero byte. The namespace is included because KubeVirt derives the firmware
/// UUID from the VM's name alone.
pub(super) fn derive(vmi: &Vmi, network: &NetworkName) -> MacAddr {
    let machine = vmi.firmware_uuid.as_deref().unwrap_or(&vmi.identity.name);
    let text = ["vhostuser-mac-v1", &vmi.identity.namespace, machine, network.as_str()].join("\0");
    let digest = Sha256::digest(text.as_bytes());
    let mut octets = [0; 6];
    octets.copy_from_slice(&digest[..6]);
    MacAddr::local(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frozen: another value would change the address of every VM at its next boot.
    #[test]
    fn the_formula_is_a_contract() {
        let with_uuid = br#"{"metadata":{"namespace":"default","name":"vm"},"spec":{"domain":{"firmware":
            {"uuid":"2974d535-af25-4e10-83d2-97c9f82da855"}}}}"#;
        let without = br#"{"metadata":{"namespace":"default","name":"vm"},"spec":{"domain":{}}}"#;
        let mac = |vmi: &[u8], network: &str| {
            derive(&Vmi::parse(vmi).unwrap(), &network.parse().unwrap()).to_string()
        };
        assert_eq!(mac(with_uuid, "dpdk0"), "1a:62:d6:31:e4:c9");
        assert_eq!(mac(with_uuid, "dpdk1"), "56:db:20:0e:e0:06");
        assert_eq!(mac(without, "dpdk0"), "82:7b:eb:13:00:11");
    }
}
