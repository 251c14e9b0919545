//! The VirtualMachineInstance: only the fields this sidecar reads, in the types it reads them as.
//!
//! Unknown fields are ignored; nothing here is ever printed whole, since a VMI can hold secrets (cloud-init).

mod cpu;
mod wire;

use std::{collections::BTreeMap, fmt};

/// What this sidecar needs to know of a VMI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vmi {
    /// Who it is.
    pub identity: Identity,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `spec.architecture`, as Kubernetes calls it (`amd64`, `arm64`, `s390x`), if set.
    pub architecture: Option<String>,
    /// `spec.domain.devices.interfaces`, in its order.
    pub interfaces: Vec<Interface>,
    /// `spec.networks`, in its order.
    pub networks: Vec<Network>,
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
    cpu: cpu::Cpu,
}

/// What tells one VMI from another.
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
    /// The key under which one boot's decisions are remembered: the UID, else namespace and name.
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
    /// `binding.name`, if a binding plugin makes this NIC.
    pub binding: Option<String>,
    /// `macAddress`.
    pub mac_address: Option<String>,
    /// `model`.
    pub model: Option<String>,
    /// `pciAddress`.
    pub pci_address: Option<String>,
    /// `bootOrder`.
    pub boot_order: Option<u64>,
    /// `acpiIndex`; 0 is Go's way to say "none".
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
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: NetworkSource,
}

/// Where a network comes from, and so where its vhost-user socket is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkSource {
    /// The pod's own network.
    Pod,
    /// A Multus network: KubeVirt lists it in network-info.
    Multus,
    /// A DRA claim: the driver writes device metadata.
    Claim(Claim),
    /// Nothing this sidecar knows.
    Unknown,
}

/// A network's `resourceClaim`, resolved through the VMI's `resourceClaims`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// `resourceClaim.claimName`: the pod-level name of the claim.
    pub pod_claim: String,
    /// `resourceClaim.requestName`.
    pub request: String,
    /// What the pod-level name stands for; nothing if `resourceClaims` does not list it.
    pub kind: Option<ClaimKind>,
}

/// The two ways to name a claim in `spec.resourceClaims`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimKind {
    /// `resourceClaimTemplateName`: a claim made for this pod.
    Template,
    /// `resourceClaimName`: this claim of the namespace.
    Direct(String),
}

/// Confidential guests, as far as they concern a NIC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchSecurity {
    /// SEV or SEV-SNP.
    Sev,
    /// Anything else: TDX, or s390x secure execution.
    Other,
}

/// A VMI that cannot be read, or lacks what every VMI has. Tells the place, never the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VmiError {
    /// Not JSON, or a field has another type than KubeVirt gives it.
    #[error(
        "VMI: {} {problem} (line {line}, column {column}); KubeVirt sent a VMI that this sidecar cannot read: check that \
         their versions fit", .field
    )]
    Unreadable {
        /// The path to the field, `.` for the whole.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
        /// Line in the JSON text, from 1.
        line: usize,
        /// Column in the JSON text, from 1.
        column: usize,
    },
    /// A part that every VMI has is missing.
    #[error("VMI: {0} is missing; this is not the VirtualMachineInstance that KubeVirt sends")]
    Missing(&'static str),
    /// A CPU quantity that multiqueue needs.
    #[error("VMI: spec.domain.resources.{field}: {value} is not a number of CPUs; correct it in the VM", value = vocabulary::Quoted(.value))]
    BadCpuQuantity {
        /// `limits.cpu` or `requests.cpu`.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

impl Vmi {
    /// Reads the JSON of a VirtualMachineInstance.
    pub fn parse(json: &[u8]) -> Result<Self, VmiError> {
        wire::parse(json)
    }

    /// The number of vCPUs that KubeVirt's own NICs take for their number of queues.
    pub fn network_queues(&self) -> Result<u64, VmiError> {
        self.cpu.network_queues()
    }

    /// The network of an interface.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The distinct names of binding plugins that the interfaces use, in their order; absent interfaces use none.
    pub fn binding_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let present = self.interfaces.iter().filter(|interface| !interface.is_absent());
        for name in present.filter_map(|interface| interface.binding.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(interfaces: &str) -> Vec<String> {
        let json = format!(r#"{{"spec":{{"domain":{{"devices":{{"interfaces":[{interfaces}]}}}}}}}}"#);
        let vmi = Vmi::parse(json.as_bytes()).unwrap();
        vmi.binding_names().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn absent_interfaces_use_no_binding() {
        let a = r#"{"name":"1","binding":{"name":"a"}},{"name":"2","binding":{"name":"a"}}"#;
        let b = r#"{"name":"3","binding":{"name":"b"},"state":"absent"}"#;
        assert_eq!(names(&[a, b, r#"{"name":"4","masquerade":{}}"#].join(",")), ["a"]);
        assert_eq!(names(&[b, &b.replace("absent", "down"), a].join(",")), ["b", "a"]);
    }

    #[test]
    fn what_is_no_vmi_is_refused_without_its_content() {
        let refusal = |json: &str| Vmi::parse(json.as_bytes()).unwrap_err().to_string();
        let reader = "KubeVirt sent a VMI that this sidecar cannot read: check that their versions fit";
        for (json, problem) in [
            ("", "the text ends too early (line 1, column 0)"),
            ("{\"spec\":", "the text ends too early (line 1, column 8)"),
            ("secret", "the text is not JSON (line 1, column 1)"),
            ("\"secret\"", "the text is not a JSON object (line 1, column 8)"),
            ("{\"spec\":7}", "spec is not of the type KubeVirt gives it (line 1, column 9)"),
            ("{} secret", "the text is not JSON (line 1, column 4)"),
        ] {
            assert_eq!(refusal(json), format!("VMI: {problem}; {reader}"));
        }
        let other = "this is not the VirtualMachineInstance that KubeVirt sends";
        assert_eq!(refusal("{}"), format!("VMI: spec is missing; {other}"));
        assert_eq!(refusal("[null,null,null]"), format!("VMI: spec is missing; {other}"));
        assert_eq!(refusal("{\"spec\":{}}"), format!("VMI: spec.domain is missing; {other}"));
    }
}
