use std::num::NonZeroU32;

use vocabulary::{
    ComputePath, MacAddr, Mtu, NetworkName, PciAddress, QueuePairs, RingSize, SocketMode, SocketPath,
};

/// A vhost-user NIC as the domain is to have it: every decision made, nothing left to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// The VMI's network; the NIC's alias is made of it.
    pub network: NetworkName,
    /// The path QEMU gets.
    pub socket: SocketPath,
    /// The path as device-info or the device metadata has it: the same socket without the stable link.
    pub device_socket: ComputePath,
    /// Who creates the socket.
    pub mode: SocketMode,
    /// Seconds between QEMU's attempts to connect; used in client mode only, libvirt refuses it in the other.
    pub reconnect_timeout: NonZeroU32,
    /// The guest's MAC address.
    pub mac: MacAddr,
    /// The virtio flavour.
    pub model: Model,
    /// With multiqueue only.
    pub queue_pairs: Option<QueuePairs>,
    /// Descriptors in each receive ring.
    pub rx_queue_size: RingSize,
    /// Descriptors in each transmit ring.
    pub tx_queue_size: RingSize,
    /// The device goes through the guest's IOMMU (confidential guests).
    pub iommu: bool,
    /// An MTU other than 1500 bytes, if the guest is to be told one.
    pub mtu: Option<Mtu>,
    /// Whether to write `<target dev>`, the pod interface name.
    pub target_dev: bool,
    /// The link starts as down.
    pub link_down: bool,
    /// The NIC's place in the boot order.
    pub boot_order: Option<NonZeroU32>,
    /// The option ROM (iPXE) is switched off.
    pub rom_off: bool,
    /// The ACPI index, from which the guest names the NIC (`eno<index>`).
    pub acpi_index: Option<NonZeroU32>,
    /// The PCI address that the VMI asks for.
    pub pci_address: Option<PciAddress>,
}

/// libvirt's virtio flavours; vhost-user knows no other NIC model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// `virtio`, for machines without PCI (s390x).
    Virtio,
    /// `virtio-transitional`, for guests that know only virtio 0.9.
    Transitional,
    /// `virtio-non-transitional`, KubeVirt's default.
    NonTransitional,
}

impl Model {
    /// libvirt's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Transitional => "virtio-transitional",
            Self::NonTransitional => "virtio-non-transitional",
        }
    }
}
