//! The database of one switch: the one model that metrics and doctor share.

use std::{collections::BTreeMap, path::Path, time::Instant};

use ovs::{
    Client, DATABASE, OvsdbError,
    operation::Condition,
    places::{self, BridgePorts, PortInterfaces},
    rows::{Table, select},
    value::{Datum, Row, Uuid, ValueError},
};
use vocabulary::{SocketMode, marks};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) state: SwitchRow,
    /// Name and datapath type.
    pub(crate) bridges: BTreeMap<String, String>,
    /// Every interface of a bridge, or ours only.
    pub(crate) interfaces: Vec<InterfaceRow>,
}

/// Reads a database in one transaction.
pub(crate) fn read(socket: &Path, only_ours: bool, deadline: Instant) -> Result<Database, OvsdbError> {
    let mut client = Client::connect(socket, deadline)?;
    let owner = Datum::map([(marks::OWNER, marks::OWNER_NAME)]);
    let conditions = if only_ours { vec![Condition::includes("external_ids", owner)] } else { Vec::new() };
    let questions = vec![
        select::<SwitchRow>(&[]),
        select::<BridgePorts>(&[]),
        select::<PortInterfaces>(&conditions),
        select::<InterfaceRow>(&conditions),
    ];
    let mut answers = client.ask(DATABASE, questions)?;
    let state = answers.rows::<SwitchRow>()?.pop().unwrap_or_default();
    let (bridges, ports) = (answers.rows::<BridgePorts>()?, answers.rows::<PortInterfaces>()?);
    let mut interfaces = answers.rows::<InterfaceRow>()?;
    let bridge_of = places::bridges_of(&bridges, &ports);
    for interface in &mut interfaces {
        interface.bridge = bridge_of.get(&interface.uuid).copied().unwrap_or_default().to_owned();
    }
    interfaces.retain(|interface| only_ours || !interface.bridge.is_empty());
    let bridges = bridges.into_iter().map(|bridge| (bridge.name, bridge.datapath_type)).collect();
    Ok(Database { state, bridges, interfaces })
}

/// The row that stands for the switch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SwitchRow {
    pub(crate) dpdk_initialized: bool,
    pub(crate) dpdk_version: Option<String>,
    pub(crate) ovs_version: Option<String>,
}

impl Table for SwitchRow {
    const TABLE: &'static str = "Open_vSwitch";
    const COLUMNS: &'static [&'static str] = &["dpdk_initialized", "dpdk_version", "ovs_version"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            dpdk_initialized: row.one("dpdk_initialized")?,
            dpdk_version: row.optional("dpdk_version")?,
            ovs_version: row.optional("ovs_version")?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceRow {
    pub(crate) uuid: Uuid,
    /// The bridge's name; empty if it is on none.
    pub(crate) bridge: String,
    pub(crate) name: String,
    /// OVS's type.
    pub(crate) kind: String,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) ofport: Option<i64>,
    /// Why OVS could not make it.
    pub(crate) error: Option<String>,
    pub(crate) mtu: Option<i64>,
    pub(crate) link_state: Option<String>,
    pub(crate) status: BTreeMap<String, String>,
    /// OVS's counters, from OVS's side: what it receives the guest has sent.
    pub(crate) statistics: BTreeMap<String, i64>,
    pub(crate) external_ids: BTreeMap<String, String>,
}

impl InterfaceRow {
    /// The mode of the workload on a port of this type.
    pub(crate) fn mode(&self) -> Option<SocketMode> {
        SocketMode::of_port_type(&self.kind)
    }

    /// `options:vhost-server-path`.
    pub(crate) fn path(&self) -> Option<&str> {
        self.options.get("vhost-server-path").map(String::as_str)
    }

    /// Of a vhost-user port: whether the other end is there.
    pub(crate) fn is_connected(&self) -> bool {
        self.status.get("status").is_some_and(|status| status == "connected")
    }

    /// A mark of the CNI plugin; empty if there is none.
    pub(crate) fn mark(&self, key: &str) -> &str {
        self.external_ids.get(key).map(String::as_str).unwrap_or_default()
    }

    /// Namespace and name of the pod, if the CNI plugin has made the port.
    pub(crate) fn pod(&self) -> Option<(&str, &str)> {
        marks::is_ours(&self.external_ids)
            .then(|| (self.mark(marks::POD_NAMESPACE), self.mark(marks::POD_NAME)))
    }
}

impl Table for InterfaceRow {
    const TABLE: &'static str = "Interface";
    #[rustfmt::skip]
    const COLUMNS: &'static [&'static str] = &[
        "_uuid", "name", "type", "options", "ofport", "error", "mtu", "link_state", "status", "statistics", "external_ids",
    ];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            uuid: row.one("_uuid")?,
            bridge: String::new(),
            name: row.one("name")?,
            kind: row.one("type")?,
            options: row.texts("options")?,
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
