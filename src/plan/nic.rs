//! One NIC, by KubeVirt's own rules for its virtio NICs (`pkg/virt-launcher/virtwrap/converter/network`).

use std::num::NonZeroU32;

use super::{PlanError, Warning, mac};
use crate::annotations::{Annotations, NicSettings};
use crate::attachment::Attachment;
use crate::config::NicConfig;
use crate::domain::{Model, Nic};
use crate::vmi::{Interface, LaunchSecurity, NetworkSource, Vmi};
use vocabulary::{MacAddr, Mtu, NetworkName, PciAddress, QueuePairs, RingSize, SocketPath};

/// The largest ACPI index that QEMU starts with (`ONBOARD_INDEX_MAX` in `hw/acpi/pcihp.c`).
const ACPI_INDEX_MAX: u32 = 16383;

/// A NIC as far as the VMI tells; the attachment is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NicRequest {
    /// Its network.
    pub network: NetworkName,
    /// Where its attachment is written down: Multus or a claim.
    pub source: NetworkSource,
    model: Model,
    mac: Option<MacAddr>,
    mtu: Option<Mtu>,
    queue_pairs: Option<QueuePairs>,
    rx_queue_size: RingSize,
    tx_queue_size: RingSize,
    reconnect_timeout: NonZeroU32,
    target_dev: bool,
    iommu: bool,
    link_down: bool,
    boot_order: Option<NonZeroU32>,
    rom_off: bool,
    acpi_index: Option<NonZeroU32>,
    pci_address: Option<PciAddress>,
}

/// What is the same for all NICs of a VMI.
pub(super) struct Rules<'c> {
    config: &'c NicConfig,
    annotations: Annotations,
    s390x: bool,
    iommu: bool,
    model: Model,
    /// With multiqueue only.
    queues: Option<Queues>,
}

/// What KubeVirt's formula gives, and what is left of it under the limit.
#[derive(Clone, Copy)]
struct Queues {
    wanted: u64,
    given: QueuePairs,
    cut: bool,
}

impl<'c> Rules<'c> {
    pub(super) fn of(
        vmi: &Vmi,
        architecture: Option<&str>,
        config: &'c NicConfig,
    ) -> Result<Self, PlanError> {
        let s390x = vmi.architecture.as_deref().or(architecture) == Some("s390x");
        let model = match (s390x, vmi.virtio_transitional) {
            (true, _) => Model::Virtio,
            (false, true) => Model::Transitional,
            (false, false) => Model::NonTransitional,
        };
        let queues = if vmi.multiqueue {
            let wanted = vmi.network_queues()?;
            let (given, cut) = QueuePairs::capped(wanted, config.max_queue_pairs);
            Some(Queues { wanted, given, cut })
        } else {
            None
        };
        Ok(Self {
            config,
            annotations: Annotations::read(vmi, config.max_queue_pairs)?,
            s390x,
            // SEV, SEV-SNP and s390x secure execution; KubeVirt leaves TDX guests without.
            iommu: match vmi.launch_security {
                Some(LaunchSecurity::Sev) => true,
                Some(LaunchSecurity::Other) => s390x,
                None => false,
            },
            model,
            queues,
        })
    }

    /// Only if an interface goes by the formula and not by an annotation.
    pub(super) fn queues_cut(&self, ours: &[&Interface]) -> Option<Warning> {
        let Queues { wanted, given, cut } = self.queues?;
        let by_formula = |interface: &&Interface| self.annotations.of(&interface.name).queue_pairs.is_none();
        (cut && ours.iter().any(by_formula)).then_some(Warning::QueuesCut { wanted, given })
    }

    pub(super) fn request(&self, vmi: &Vmi, interface: &Interface) -> Result<NicRequest, PlanError> {
        let network: NetworkName = interface.name.parse()?;
        let settings = self.annotations.of(&interface.name);
        let NicSettings { queue_pairs, rx_queue_size, tx_queue_size, mtu, reconnect_timeout, target_dev } =
            settings;
        let boot_order = boot_order(interface, &network)?;
        check_model(interface, &network)?;
        Ok(NicRequest {
            source: source(vmi, &network)?,
            model: self.model,
            mac: mac_address(interface, &network)?,
            mtu,
            queue_pairs: queue_pairs.or(self.queues.map(|queues| queues.given)),
            rx_queue_size: rx_queue_size.unwrap_or(self.config.rx_queue_size),
            tx_queue_size: tx_queue_size.unwrap_or(self.config.tx_queue_size),
            reconnect_timeout: reconnect_timeout.unwrap_or(self.config.reconnect_timeout),
            target_dev: target_dev.unwrap_or(self.config.target_dev),
            iommu: self.iommu,
            link_down: link_down(interface, &network)?,
            // iPXE is not needed unless the NIC is booted from, and does not know encrypted memory.
            rom_off: !self.s390x && (boot_order.is_none() || self.iommu),
            boot_order,
            acpi_index: acpi_index(interface, &network)?,
            pci_address: pci_address(interface, &network)?,
            network,
        })
    }
}

impl NicRequest {
    /// The NIC with its attachment.
    pub(super) fn complete(
        self,
        vmi: &Vmi,
        attachment: &Attachment,
        socket: SocketPath,
    ) -> Result<Nic, PlanError> {
        let mac = match self.mac {
            Some(mac) => mac,
            None => self.offered_mac(attachment)?.unwrap_or_else(|| mac::derive(vmi, &self.network)),
        };
        let mtu = match self.mtu {
            Some(mtu) => Some(mtu),
            None => self.offered_mtu(attachment)?,
        };
        Ok(Nic {
            network: self.network,
            socket,
            device_socket: attachment.socket.clone(),
            mode: attachment.mode,
            reconnect_timeout: self.reconnect_timeout,
            mac,
            model: self.model,
            queue_pairs: self.queue_pairs,
            rx_queue_size: self.rx_queue_size,
            tx_queue_size: self.tx_queue_size,
            iommu: self.iommu,
            mtu: mtu.filter(|mtu| *mtu != Mtu::ETHERNET),
            target_dev: self.target_dev,
            link_down: self.link_down,
            boot_order: self.boot_order,
            rom_off: self.rom_off,
            acpi_index: self.acpi_index,
            pci_address: self.pci_address,
        })
    }

    /// What is worth telling of this NIC on this attachment.
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

    fn offered_mac(&self, attachment: &Attachment) -> Result<Option<MacAddr>, PlanError> {
        let parsed = attachment.mac.as_deref().map(str::parse).transpose();
        parsed.map_err(|error| PlanError::Mac {
            network: self.network.clone(),
            field: "mac",
            error,
            place: format!("what writes {}, or set macAddress in the VM", attachment.file),
        })
    }

    fn offered_mtu(&self, attachment: &Attachment) -> Result<Option<Mtu>, PlanError> {
        let checked = attachment.mtu.map(Mtu::try_from).transpose();
        checked.map_err(|error| PlanError::Mtu {
            network: self.network.clone(),
            error,
            place: format!("what writes {}", attachment.file),
        })
    }
}

fn source(vmi: &Vmi, network: &NetworkName) -> Result<NetworkSource, PlanError> {
    let wrong = |what| Err(PlanError::WrongNetwork { network: network.clone(), what });
    match vmi.network(network.as_str()).map(|found| &found.source) {
        Some(source @ (NetworkSource::Multus | NetworkSource::Claim(_))) => Ok(source.clone()),
        Some(NetworkSource::Pod) => wrong("the pod network"),
        Some(NetworkSource::Unknown) => wrong("neither a multus network nor a resourceClaim"),
        None => Err(PlanError::NoNetwork { network: network.clone() }),
    }
}

fn check_model(interface: &Interface, network: &NetworkName) -> Result<(), PlanError> {
    match interface.model.as_deref() {
        None | Some("virtio") => Ok(()),
        Some(model) => Err(PlanError::Model { network: network.clone(), model: model.to_owned() }),
    }
}

fn mac_address(interface: &Interface, network: &NetworkName) -> Result<Option<MacAddr>, PlanError> {
    let parsed = interface.mac_address.as_deref().map(str::parse).transpose();
    parsed.map_err(|error| PlanError::Mac {
        network: network.clone(),
        field: "macAddress",
        error,
        place: "the VM".to_owned(),
    })
}

fn link_down(interface: &Interface, network: &NetworkName) -> Result<bool, PlanError> {
    match interface.state.as_str() {
        "" | "up" => Ok(false),
        "down" => Ok(true),
        state => Err(PlanError::State { network: network.clone(), state: state.to_owned() }),
    }
}

fn boot_order(interface: &Interface, network: &NetworkName) -> Result<Option<NonZeroU32>, PlanError> {
    let Some(order) = interface.boot_order else {
        return Ok(None);
    };
    match u32::try_from(order).ok().and_then(NonZeroU32::new) {
        Some(order) => Ok(Some(order)),
        None => Err(PlanError::Range {
            network: network.clone(),
            field: "bootOrder",
            value: order.into(),
            range: "1 to 4294967295",
        }),
    }
}

fn acpi_index(interface: &Interface, network: &NetworkName) -> Result<Option<NonZeroU32>, PlanError> {
    match u32::try_from(interface.acpi_index) {
        Ok(index @ 0..=ACPI_INDEX_MAX) => Ok(NonZeroU32::new(index)),
        _ => Err(PlanError::Range {
            network: network.clone(),
            field: "acpiIndex",
            value: interface.acpi_index.into(),
            range: "1 to 16383",
        }),
    }
}

fn pci_address(interface: &Interface, network: &NetworkName) -> Result<Option<PciAddress>, PlanError> {
    let parsed = interface.pci_address.as_deref().map(str::parse).transpose();
    parsed.map_err(|error| PlanError::PciAddress { network: network.clone(), error })
}
