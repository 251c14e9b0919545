//! One NIC, before and after its attachment is known.

use super::{error::NicError, mac, warning::Warning};
use crate::attachment::Attachment;
use crate::domain::{Nic, NicOptions};
use crate::vmi::{NetworkSource, Vmi};
use vocabulary::{MacAddr, Mtu, NetworkName, SocketPath};

/// A NIC that the VMI asks for, before its attachment is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicRequest {
    /// Its network.
    pub network: NetworkName,
    /// Where its attachment is recorded: Multus or a claim.
    pub source: NetworkSource,
    pub(super) mac: Option<MacAddr>,
    pub(super) mtu: Option<Mtu>,
    pub(super) options: NicOptions,
}

impl NicRequest {
    /// The NIC with its attachment.
    pub(super) fn complete(
        self,
        vmi: &Vmi,
        attachment: &Attachment,
        socket: SocketPath,
    ) -> Result<Nic, NicError> {
        let mac = match self.mac {
            Some(mac) => mac,
            None => offered_mac(attachment)?.unwrap_or_else(|| mac::derive(vmi, &self.network)),
        };
        let mtu = match self.mtu {
            Some(mtu) => Some(mtu),
            None => offered_mtu(attachment)?,
        };
        Ok(Nic {
            network: self.network,
            socket,
            device_socket: attachment.socket.clone(),
            mode: attachment.mode,
            mac,
            mtu: mtu.filter(|mtu| *mtu != Mtu::ETHERNET),
            options: self.options,
        })
    }

    pub(super) fn attachment_warnings(&self, vmi: &Vmi, attachment: &Attachment) -> Vec<Warning> {
        let network = || self.network.clone();
        let mut warnings = Vec::new();
        if self.mac.is_none() && attachment.mac.is_none() && vmi.firmware_uuid.is_none() {
            warnings.push(Warning::MacWithoutFirmwareUuid { network: network() });
        }
        if vmi.migrating {
            warnings.push(Warning::MigrationTarget { network: network(), mode: attachment.mode });
        }
        warnings
    }
}

fn offered_mac(attachment: &Attachment) -> Result<Option<MacAddr>, NicError> {
    let place = || format!("the program that writes {}, or set macAddress in the VM", attachment.file);
    let parsed = attachment.mac.as_deref().map(str::parse).transpose();
    parsed.map_err(|error| NicError::Mac { field: "mac", error, place: place() })
}

fn offered_mtu(attachment: &Attachment) -> Result<Option<Mtu>, NicError> {
    let checked = attachment.mtu.map(Mtu::try_from).transpose();
    checked.map_err(|error| NicError::Mtu {
        error,
        place: format!("the program that writes {}", attachment.file),
    })
}
