//! KubeVirt's own rules for its virtio NICs (`pkg/virt-launcher/virtwrap/converter/network`), applied to ours.

use std::num::NonZeroU32;

use super::{
    error::{NicError, PlanError},
    nic::NicRequest,
    warning::Warning,
};
use crate::annotations::{Annotations, NicSettings};
use crate::config::NicConfig;
use crate::domain::{Model, NicOptions};
use crate::vmi::{Interface, LaunchSecurity, NetworkSource, Vmi};
use vocabulary::{MacAddr, NetworkName, PciAddress, QueuePairs};

/// The largest ACPI index that QEMU starts with (`ONBOARD_INDEX_MAX` in `hw/acpi/pcihp.c`).
const ACPI_INDEX_MAX: u32 = 16383;

/// What is the same for all NICs of a VMI.
pub(super) struct Rules<'c> {
    config: &'c NicConfig,
    vmi: &'c Vmi,
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
        vmi: &'c Vmi,
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
            let (given, cut) = QueuePairs::capped(wanted, config.defaults.max_queue_pairs);
            Some(Queues { wanted, given, cut })
        } else {
            None
        };
        Ok(Self {
            config,
            // The first of a name wins.
            vmi,
            annotations: Annotations::read(vmi, config.defaults.max_queue_pairs)?,
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

    fn source(&self, network: &NetworkName) -> Result<NetworkSource, NicError> {
        match self.vmi.network(network.as_str()).map(|found| &found.source) {
            Some(source @ (NetworkSource::Multus | NetworkSource::Claim(_))) => Ok(source.clone()),
            Some(NetworkSource::Pod) => Err(NicError::WrongNetwork("the pod network")),
            Some(NetworkSource::Unknown) => {
                Err(NicError::WrongNetwork("neither a multus network nor a resourceClaim"))
            }
            None => Err(NicError::NoNetwork),
        }
    }

    /// Only if some NIC uses the formula (no annotation).
    pub(super) fn queues_cut(&self, ours: &[&Interface]) -> Option<Warning> {
        let Queues { wanted, given, cut } = self.queues?;
        let by_formula = |interface: &&Interface| self.annotations.of(&interface.name).queue_pairs.is_none();
        (cut && ours.iter().any(by_formula)).then_some(Warning::QueuesCut { wanted, given })
    }

    pub(super) fn request(&self, interface: &Interface) -> Result<NicRequest, PlanError> {
        let network: NetworkName = interface.name.parse()?;
        self.named_request(interface, network.clone()).map_err(|reason| reason.of(&network))
    }

    fn named_request(&self, interface: &Interface, network: NetworkName) -> Result<NicRequest, NicError> {
        let settings = self.annotations.of(&interface.name);
        check_model(interface)?;
        Ok(NicRequest {
            source: self.source(&network)?,
            mac: mac_address(interface)?,
            mtu: settings.mtu,
            options: self.options(interface, &settings)?,
            network,
        })
    }

    fn options(&self, interface: &Interface, settings: &NicSettings) -> Result<NicOptions, NicError> {
        let defaults = &self.config.defaults;
        let boot_order = boot_order(interface)?;
        Ok(NicOptions {
            model: self.model,
            queue_pairs: settings.queue_pairs.or(self.queues.map(|queues| queues.given)),
            rx_queue_size: settings.rx_queue_size.unwrap_or(defaults.rx_queue_size),
            tx_queue_size: settings.tx_queue_size.unwrap_or(defaults.tx_queue_size),
            reconnect_timeout: settings.reconnect_timeout.unwrap_or(defaults.reconnect_timeout).seconds(),
            target_dev: settings.target_dev.unwrap_or(defaults.target_dev),
            iommu: self.iommu,
            link_down: link_down(interface)?,
            // iPXE is needed only to boot from the NIC, and it does not work with encrypted memory.
            rom_off: !self.s390x && (boot_order.is_none() || self.iommu),
            boot_order,
            acpi_index: acpi_index(interface)?,
            pci_address: pci_address(interface)?,
        })
    }
}

fn check_model(interface: &Interface) -> Result<(), NicError> {
    match interface.model.as_deref() {
        None | Some("virtio") => Ok(()),
        Some(model) => Err(NicError::Model(model.to_owned())),
    }
}

fn mac_address(interface: &Interface) -> Result<Option<MacAddr>, NicError> {
    let parsed = interface.mac_address.as_deref().map(str::parse).transpose();
    parsed.map_err(|error| NicError::Mac { field: "macAddress", error, place: "the VM".to_owned() })
}

fn link_down(interface: &Interface) -> Result<bool, NicError> {
    match interface.state.as_str() {
        "" | "up" => Ok(false),
        "down" => Ok(true),
        state => Err(NicError::State(state.to_owned())),
    }
}

fn boot_order(interface: &Interface) -> Result<Option<NonZeroU32>, NicError> {
    let parse = |order: u64| u32::try_from(order).ok().and_then(NonZeroU32::new).ok_or(order);
    let out_of_range = |order: u64| out_of_range("bootOrder", order, "1 to 4294967295");
    interface.boot_order.map(parse).transpose().map_err(out_of_range)
}

fn acpi_index(interface: &Interface) -> Result<Option<NonZeroU32>, NicError> {
    match u32::try_from(interface.acpi_index) {
        Ok(index @ 0..=ACPI_INDEX_MAX) => Ok(NonZeroU32::new(index)),
        _ => Err(out_of_range("acpiIndex", interface.acpi_index, "1 to 16383")),
    }
}

fn out_of_range(field: &'static str, value: impl Into<i128>, range: &'static str) -> NicError {
    NicError::Range { field, value: value.into(), range }
}

fn pci_address(interface: &Interface) -> Result<Option<PciAddress>, NicError> {
    interface.pci_address.as_deref().map(str::parse).transpose().map_err(NicError::PciAddress)
}
