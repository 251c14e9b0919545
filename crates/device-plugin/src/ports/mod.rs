//! The switch's ports that the CNI plugin has made, as OVSDB describes them: whose, in what state, and what has passed.

use std::{collections::BTreeMap, path::Path, time::Instant};

use ovs::{
    Client, DATABASE, OvsdbError,
    operation::Condition,
    places::{self, BridgePorts, PortInterfaces},
    rows::{Table, select},
    value::{Datum, Row, Uuid, ValueError},
};
use vocabulary::marks;

/// Between a launcher pod's name and the VM's.
const LAUNCHER: &str = "virt-launcher-";

/// How many characters Kubernetes appends to a pod's name, and from which (`names.SimpleNameGenerator`).
const SUFFIX: (usize, &str) = (5, "bcdfghjklmnpqrstvwxz2456789");

/// Whether packets can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Both ends are there.
    Connected,
    /// The switch waits for the guest.
    WaitingForGuest,
    /// Both ends are there, and the guest's driver is not.
    LinkDown,
    /// The switch could not make the port.
    Failed,
}

impl State {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Connected, Self::WaitingForGuest, Self::LinkDown, Self::Failed];

    /// The value of the label `state`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::WaitingForGuest => "waiting_for_guest",
            Self::LinkDown => "link_down",
            Self::Failed => "failed",
        }
    }
}

/// One port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    /// The pod's namespace.
    pub(super) namespace: String,
    /// The pod.
    pub(super) pod: String,
    /// The network, as its NAD's configuration names it.
    pub(super) nad: String,
    /// The interface in the pod.
    pub(super) interface: String,
    /// The VM whose launcher the pod is; empty where it is none.
    pub(super) vm: String,
    /// The bridge.
    pub(super) bridge: String,
    /// The port's own name.
    pub(super) port: String,
    /// The device plugin's device.
    pub(super) device: String,
    /// Whether packets can pass.
    pub(super) state: State,
    /// In bytes.
    pub(super) mtu: Option<i64>,
    /// That the guest has set up.
    pub(super) queue_pairs: Option<i64>,
    /// OVS's counters, in OVS's view: what it receives the guest has sent.
    pub(super) statistics: BTreeMap<String, i64>,
}

/// Every port of ours in a switch, in one question.
pub(super) fn read(socket: &Path, deadline: Instant) -> Result<Vec<Port>, OvsdbError> {
    let mut client = Client::connect(socket, deadline)?;
    let owner = || Datum::map([(marks::OWNER, marks::OWNER_NAME)]);
    let ours = [Condition::includes("external_ids", owner())];
    let questions =
        vec![select::<BridgePorts>(&[]), select::<PortInterfaces>(&ours), select::<Interface>(&ours)];
    let mut answers = client.ask(DATABASE, questions)?;
    let (bridges, ports) = (answers.rows::<BridgePorts>()?, answers.rows::<PortInterfaces>()?);
    let bridges = places::bridges_of(&bridges, &ports);
    let mut ports: Vec<_> =
        answers.rows::<Interface>()?.into_iter().map(|interface| port(interface, &bridges)).collect();
    ports.sort_unstable_by(|a, b| a.port.cmp(&b.port));
    Ok(ports)
}

fn port(interface: Interface, bridges: &BTreeMap<&Uuid, &str>) -> Port {
    let state = interface.state();
    let Interface { uuid, name, mtu, status, statistics, external_ids, .. } = interface;
    let mark = |key: &str| external_ids.get(key).cloned().unwrap_or_default();
    let vrings: Option<i64> = status.get("num_of_vrings").and_then(|text| text.parse().ok());
    let pod = mark(marks::POD_NAME);
    Port {
        namespace: mark(marks::POD_NAMESPACE),
        vm: vm_of(&pod).unwrap_or_default().to_owned(),
        pod,
        nad: mark(marks::NETWORK),
        interface: mark(marks::IFNAME),
        bridge: bridges.get(&uuid).copied().unwrap_or_default().to_owned(),
        port: name,
        device: mark(marks::DEVICE),
        state,
        mtu,
        // A ring for each direction.
        queue_pairs: vrings.map(|rings| rings / 2),
        statistics,
    }
}

/// The VM whose launcher a pod is. KubeVirt asks for the name `virt-launcher-<vm>-` and Kubernetes appends its five
/// characters; where the VM's name is so long that it was cut, it cannot be told.
fn vm_of(pod: &str) -> Option<&str> {
    let rest = pod.strip_prefix(LAUNCHER)?;
    let (vm, suffix) = rest.rsplit_once('-')?;
    let (length, alphabet) = SUFFIX;
    let generated = suffix.len() == length && suffix.chars().all(|c| alphabet.contains(c));
    (generated && !vm.is_empty()).then_some(vm)
}

/// What is read of an interface.
#[derive(Debug)]
struct Interface {
    uuid: Uuid,
    name: String,
    ofport: Option<i64>,
    error: Option<String>,
    mtu: Option<i64>,
    link_state: Option<String>,
    status: BTreeMap<String, String>,
    statistics: BTreeMap<String, i64>,
    external_ids: BTreeMap<String, String>,
}

impl Interface {
    fn state(&self) -> State {
        let connected = self.status.get("status").is_some_and(|status| status == "connected");
        match (connected, self.link_state.as_deref()) {
            _ if self.error.is_some() || self.ofport == Some(-1) => State::Failed,
            (false, _) => State::WaitingForGuest,
            (true, Some("up")) => State::Connected,
            (true, _) => State::LinkDown,
        }
    }
}

impl Table for Interface {
    const TABLE: &'static str = "Interface";
    const COLUMNS: &'static [&'static str] =
        &["_uuid", "name", "ofport", "error", "mtu", "link_state", "status", "statistics", "external_ids"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            uuid: row.one("_uuid")?,
            name: row.one("name")?,
            ofport: row.optional("ofport")?,
            error: row.optional("error")?,
            mtu: row.optional("mtu")?,
            link_state: row.optional("link_state")?,
            status: row.texts("status")?,
            statistics: row.numbers("statistics")?,
            external_ids: row.texts("external_ids")?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
