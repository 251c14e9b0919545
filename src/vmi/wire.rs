//! The JSON of a VMI as KubeVirt writes it (`staging/src/kubevirt.io/api/core/v1`), converted at once.
//! Go writes `null` for what is empty, so every field may be missing or null.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, de::IgnoredAny};

use super::{
    cpu::Cpu,
    error::VmiError,
    model::{self, Claim, ClaimKind, Identity, LaunchSecurity, NetworkSource, Vmi},
};

#[derive(Deserialize)]
struct Object {
    metadata: Option<Metadata>,
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    /// Values of any type: an annotation that is not a string is not ours, and its key must not appear in a message.
    annotations: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec {
    architecture: Option<String>,
    domain: Option<Domain>,
    networks: Option<Vec<Network>>,
    resource_claims: Option<Vec<PodClaim>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Domain {
    cpu: Option<Topology>,
    resources: Option<Resources>,
    devices: Option<Devices>,
    firmware: Option<Firmware>,
    launch_security: Option<LaunchSecurityWire>,
}

#[derive(Deserialize, Default)]
struct Topology {
    sockets: Option<u64>,
    cores: Option<u64>,
    threads: Option<u64>,
}

#[derive(Deserialize, Default)]
struct Resources {
    limits: Option<CpuQuantity>,
    requests: Option<CpuQuantity>,
}

#[derive(Deserialize)]
struct CpuQuantity {
    cpu: Option<Quantity>,
}

/// Kubernetes writes quantities as strings but also reads numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Quantity {
    Text(String),
    Number(serde_json::Number),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Devices {
    interfaces: Option<Vec<Interface>>,
    network_interface_multiqueue: Option<bool>,
    use_virtio_transitional: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Interface {
    name: Option<String>,
    binding: Option<Binding>,
    mac_address: Option<String>,
    model: Option<String>,
    pci_address: Option<String>,
    boot_order: Option<u64>,
    acpi_index: Option<i64>,
    state: Option<String>,
}

#[derive(Deserialize)]
struct Binding {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Firmware {
    uuid: Option<String>,
}

#[derive(Deserialize)]
struct LaunchSecurityWire {
    sev: Option<IgnoredAny>,
    snp: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    name: Option<String>,
    pod: Option<IgnoredAny>,
    multus: Option<IgnoredAny>,
    resource_claim: Option<NetworkClaim>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkClaim {
    claim_name: Option<String>,
    request_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodClaim {
    name: Option<String>,
    resource_claim_name: Option<String>,
    resource_claim_template_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    migration_state: Option<MigrationState>,
}

#[derive(Deserialize)]
struct MigrationState {
    completed: Option<bool>,
}

impl Vmi {
    /// Reads the JSON of a VirtualMachineInstance.
    ///
    /// # Errors
    /// Not JSON, a field of another type than KubeVirt's, or no `spec.domain`.
    pub fn parse(json: &[u8]) -> Result<Self, VmiError> {
        let object: Object = serde_json::from_slice(json).map_err(|_| unreadable(json))?;
        match &object.spec {
            None => Err(VmiError::Missing("spec")),
            Some(Spec { domain: None, .. }) => Err(VmiError::Missing("spec.domain")),
            Some(_) => Ok(object.into()),
        }
    }
}

/// What is wrong and where, without serde's own message, which repeats values. Reads again: to remember the path on the
/// way costs as much as reading.
fn unreadable(json: &[u8]) -> VmiError {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let (path, error) = match serde_path_to_error::deserialize::<_, Object>(&mut deserializer) {
        Err(error) => (error.path().to_string(), error.into_inner()),
        Ok(_) => (".".to_owned(), deserializer.end().err().unwrap_or_else(|| serde::de::Error::custom(""))),
    };
    let (field, problem) = match error.classify() {
        serde_json::error::Category::Eof => ("the document".to_owned(), "ends too early"),
        serde_json::error::Category::Data if path != "." => (path, "has an unexpected type"),
        serde_json::error::Category::Data => ("the document".to_owned(), "is not a JSON object"),
        _ => ("the document".to_owned(), "is not JSON"),
    };
    VmiError::Unreadable { field, problem, line: error.line(), column: error.column() }
}

impl From<Object> for Vmi {
    fn from(object: Object) -> Self {
        let Object { metadata, spec, status } = object;
        let Metadata { name, namespace, uid, annotations } = metadata.unwrap_or_default();
        let Spec { architecture, domain, networks, resource_claims } = spec.unwrap_or_default();
        let Domain { cpu, resources, devices, firmware, launch_security } = domain.unwrap_or_default();
        let devices = devices.unwrap_or_default();
        let claims = claims_by_name(resource_claims.unwrap_or_default());
        Self {
            identity: Identity {
                namespace: namespace.unwrap_or_default(),
                name: name.unwrap_or_default(),
                uid: uid.unwrap_or_default(),
            },
            annotations: annotations.unwrap_or_default().into_iter().filter_map(text_value).collect(),
            architecture: set(architecture),
            interfaces: devices.interfaces.unwrap_or_default().into_iter().map(Into::into).collect(),
            networks: networks_by_name(networks.unwrap_or_default(), &claims),
            multiqueue: devices.network_interface_multiqueue.unwrap_or_default(),
            virtio_transitional: devices.use_virtio_transitional.unwrap_or_default(),
            launch_security: launch_security.map(Into::into),
            firmware_uuid: set(firmware.and_then(|firmware| firmware.uuid)),
            migrating: status
                .and_then(|status| status.migration_state)
                .is_some_and(|state| state.completed != Some(true)),
            cpu: cpu_of(cpu.unwrap_or_default(), resources.unwrap_or_default()),
        }
    }
}

fn text_value((key, value): (String, serde_json::Value)) -> Option<(String, String)> {
    match value {
        serde_json::Value::String(text) => Some((key, text)),
        _ => None,
    }
}

/// Go's empty string means "not set".
fn set(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn cpu_of(topology: Topology, resources: Resources) -> Cpu {
    let Topology { sockets, cores, threads } = topology;
    let quantity = |list: Option<CpuQuantity>| match list?.cpu? {
        Quantity::Text(text) => Some(text),
        Quantity::Number(number) => Some(number.to_string()),
    };
    Cpu {
        sockets: sockets.unwrap_or_default(),
        cores: cores.unwrap_or_default(),
        threads: threads.unwrap_or_default(),
        limit: quantity(resources.limits),
        request: quantity(resources.requests),
    }
}

impl From<Interface> for model::Interface {
    fn from(interface: Interface) -> Self {
        let Interface { name, binding, mac_address, model, pci_address, boot_order, acpi_index, state } =
            interface;
        Self {
            name: name.unwrap_or_default(),
            binding: binding.and_then(|binding| set(binding.name)),
            mac_address: set(mac_address),
            model: set(model),
            pci_address: set(pci_address),
            boot_order,
            acpi_index: acpi_index.unwrap_or_default(),
            state: state.unwrap_or_default(),
        }
    }
}

impl From<LaunchSecurityWire> for LaunchSecurity {
    fn from(wire: LaunchSecurityWire) -> Self {
        let LaunchSecurityWire { sev, snp } = wire;
        if sev.is_some() || snp.is_some() { Self::Sev } else { Self::Other }
    }
}

/// Claims by their pod-level name, the first where one is listed twice.
fn claims_by_name(list: Vec<PodClaim>) -> HashMap<String, ClaimKind> {
    let mut claims = HashMap::with_capacity(list.len());
    for PodClaim { name, resource_claim_name, resource_claim_template_name } in list {
        let kind = match (set(resource_claim_name), set(resource_claim_template_name)) {
            (Some(name), _) => Some(ClaimKind::Direct(name)),
            (None, Some(_)) => Some(ClaimKind::Template),
            (None, None) => None,
        };
        if let (Some(name), Some(kind)) = (name, kind) {
            claims.entry(name).or_insert(kind);
        }
    }
    claims
}

/// Networks by name, the first where one is listed twice.
fn networks_by_name(
    list: Vec<Network>,
    claims: &HashMap<String, ClaimKind>,
) -> HashMap<String, model::Network> {
    let mut networks = HashMap::with_capacity(list.len());
    for Network { name, pod, multus, resource_claim } in list {
        let source = match (pod, multus, resource_claim) {
            (Some(_), _, _) => NetworkSource::Pod,
            (None, Some(_), _) => NetworkSource::Multus,
            (None, None, Some(claim)) => NetworkSource::Claim(claim.resolve(claims)),
            (None, None, None) => NetworkSource::Unknown,
        };
        networks.entry(name.unwrap_or_default()).or_insert(model::Network { source });
    }
    networks
}

impl NetworkClaim {
    fn resolve(self, claims: &HashMap<String, ClaimKind>) -> Claim {
        let pod_claim = self.claim_name.unwrap_or_default();
        let kind = claims.get(&pod_claim).cloned();
        Claim { pod_claim, request: self.request_name.unwrap_or_default(), kind }
    }
}
