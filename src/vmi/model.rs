use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use super::{cpu::Cpu, error::VmiError};

/// What this sidecar needs from a VMI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vmi {
    /// Namespace, name and UID.
    pub identity: Identity,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `spec.architecture`, as Kubernetes calls it (`amd64`, `arm64`, `s390x`), if set.
    pub architecture: Option<String>,
    /// `spec.domain.devices.interfaces`, in its order.
    pub interfaces: Vec<Interface>,
    /// `spec.networks`, by name.
    pub networks: HashMap<String, Network>,
    /// `devices.networkInterfaceMultiqueue`.
    pub multiqueue: bool,
    /// `devices.useVirtioTransitional`.
    pub virtio_transitional: bool,
    /// `domain.launchSecurity`.
    pub launch_security: Option<LaunchSecurity>,
    /// `domain.firmware.uuid`, if set.
    pub firmware_uuid: Option<String>,
    /// A migration of this VMI is under way (`status.migrationState`).
    pub migrating: bool,
    pub(super) cpu: Cpu,
}

/// Identifies a VMI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; empty for one that has not been created.
    pub uid: String,
}

impl Identity {
    /// The key under which a boot's attachments are cached: the UID, else namespace and name.
    pub fn key(&self) -> String {
        match self.uid.as_str() {
            "" => self.to_string(),
            uid => uid.to_owned(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One of `spec.domain.devices.interfaces`. Values are as written: they are parsed for the NICs that are ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interface {
    /// The interface's and its network's name.
    pub name: String,
    /// `binding.name`, if a binding plugin provides this NIC.
    pub binding: Option<String>,
    /// `macAddress`.
    pub mac_address: Option<String>,
    /// `model`.
    pub model: Option<String>,
    /// `pciAddress`.
    pub pci_address: Option<String>,
    /// `bootOrder`.
    pub boot_order: Option<u64>,
    /// `acpiIndex`; Go writes 0 for "none".
    pub acpi_index: i64,
    /// `state`: empty, `up`, `down` or `absent`.
    pub state: String,
}

impl Interface {
    /// The NIC has been unplugged (`state: absent`): KubeVirt leaves it out of the domain.
    pub fn is_absent(&self) -> bool {
        self.state == "absent"
    }
}

/// One of `spec.networks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Where it comes from.
    pub source: NetworkSource,
}

/// Where a network comes from, and so where its vhost-user socket is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkSource {
    /// The pod's own network.
    Pod,
    /// A Multus network: KubeVirt lists it in network-info.
    Multus,
    /// A DRA claim: the driver writes device metadata.
    Claim(Claim),
    /// Anything else; this sidecar cannot use it.
    Unknown,
}

/// A network's `resourceClaim`, resolved through the VMI's `resourceClaims`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `resourceClaim.claimName`: the pod-level name of the claim.
    pub pod_claim: String,
    /// `resourceClaim.requestName`.
    pub request: String,
    /// The claim that the pod-level name refers to; `None` if `resourceClaims` does not list it.
    pub kind: Option<ClaimKind>,
}

/// The two kinds of claims in `spec.resourceClaims`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimKind {
    /// `resourceClaimTemplateName`: a claim created for this pod.
    Template,
    /// `resourceClaimName`: this claim of the namespace.
    Direct(String),
}

/// Confidential guests: what matters for a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchSecurity {
    /// SEV or SEV-SNP.
    Sev,
    /// Anything else: TDX, or s390x secure execution.
    Other,
}

impl Vmi {
    /// The number of vCPUs that KubeVirt's own NICs take for their number of queues.
    pub fn network_queues(&self) -> Result<u64, VmiError> {
        self.cpu.network_queues()
    }

    /// The network of an interface.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.get(name)
    }

    /// The distinct names of binding plugins that the interfaces use, in their order; absent interfaces use none.
    pub fn binding_names(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let present = self.interfaces.iter().filter(|interface| !interface.is_absent());
        let names = present.filter_map(|interface| interface.binding.as_deref());
        names.filter(|name| seen.insert(*name)).collect()
    }
}
