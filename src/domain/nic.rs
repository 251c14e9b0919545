use std::num::NonZeroU32;

use vocabulary::{
    ComputePath, MacAddr, Mtu, NetworkName, PciAddress, QueuePairs, RingSize, SocketMode, SocketPath,
};

/// A vhost-user NIC to write into the domain: every decision made, nothing left to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nic {
    /// The VMI's network; the NIC's alias is derived from it.
    pub network: NetworkName,
    /// The path QEMU gets.
    pub socket: SocketPath,
    /// The path from device-info or the device metadata: the same socket without the stable link.
    pub device_socket: ComputePath,
    /// Who creates the socket.
    pub mode: SocketMode,
    /// The guest's MAC address.
    pub mac: MacAddr,
    /// The MTU to offer to the guest, if it is not 1500 bytes.
    pub mtu: Option<Mtu>,
    /// What does not depend on the socket.
    pub options: NicOptions,
}

/// The part of a NIC that the VMI, its annotations and the sidecar's flags decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NicOptions {
    /// Seconds between QEMU's attempts to connect; used in client mode only, because libvirt refuses it in server mode.
    pub reconnect_timeout: NonZeroU32,
    /// The virtio model.
    pub model: Model,
    /// Set with multiqueue only.
    pub queue_pairs: Option<QueuePairs>,
    /// Descriptors in each receive ring.
    pub rx_queue_size: RingSize,
    /// Descriptors in each transmit ring.
    pub tx_queue_size: RingSize,
    /// The device uses the guest's IOMMU (confidential guests).
    pub iommu: bool,
    /// Whether to write `<target dev>`, the pod interface name.
    pub target_dev: bool,
    /// The link is down at start.
    pub link_down: bool,
    /// The NIC's place in the boot order.
    pub boot_order: Option<NonZeroU32>,
    /// Whether to disable the option ROM (iPXE).
    pub rom_off: bool,
    /// The ACPI index; the guest names the NIC after it (`eno<index>`).
    pub acpi_index: Option<NonZeroU32>,
    /// The PCI address that the VMI requests.
    pub pci_address: Option<PciAddress>,
}

/// libvirt's virtio models; vhost-user supports no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// `virtio`, for machines without PCI (s390x).
    Virtio,
    /// `virtio-transitional`, for guests that support only virtio 0.9.
    Transitional,
    /// `virtio-non-transitional`, KubeVirt's default.
    NonTransitional,
}

impl Model {
    /// The value in libvirt's XML.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Virtio => "virtio",
            Self::Transitional => "virtio-transitional",
            Self::NonTransitional => "virtio-non-transitional",
        }
    }
}
