//! What the device plugin asks of a bridge: whether it is there, and where its uplinks are.

use std::{collections::BTreeSet, path::Path, time::Instant};

use super::{
    Client, DATABASE, OvsdbError,
    operation::{Condition, Operation},
    value::{Row, Uuid, ValueError},
};

/// A bridge of the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeState {
    /// `netdev` is the userspace datapath, the only one that DPDK ports can be in.
    pub datapath_type: String,
    /// For each of the bridge's interfaces of type `dpdk` the NUMA node of its device, where OVS knows it.
    pub uplink_numa_nodes: Vec<Option<u32>>,
}

/// An interface of type `dpdk`, of whatever bridge.
struct Uplink {
    uuid: Uuid,
    numa_node: Option<u32>,
}

/// Asks for a bridge, in two transactions at most.
///
/// # Errors
/// [`OvsdbError::NoBridge`] if there is none of this name; for a switch that cannot be asked see
/// [`OvsdbError::is_out_of_reach`].
pub fn bridge_state(socket: &Path, bridge: &str, deadline: Instant) -> Result<BridgeState, OvsdbError> {
    let mut client = Client::connect(socket, deadline)?;
    let found = client.transact(DATABASE, first_question(bridge))?;
    let mut found = found.into_iter().map(super::operation::OpResult::rows);
    let (bridges, interfaces) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
    let Some(row) = bridges.first() else {
        return Err(OvsdbError::NoBridge { socket: socket.to_owned(), bridge: bridge.to_owned() });
    };
    let (datapath_type, ports) = bridge_of(row).map_err(|error| client.unreadable(&error))?;
    let uplinks: Result<Vec<_>, _> = interfaces.iter().map(uplink_of).collect();
    let uplinks = uplinks.map_err(|error| client.unreadable(&error))?;
    let uplink_numa_nodes = on_bridge(&mut client, uplinks, &ports)?;
    Ok(BridgeState { datapath_type, uplink_numa_nodes })
}

fn first_question(bridge: &str) -> Vec<Operation> {
    vec![
        Operation::select("Bridge", &[Condition::is("name", bridge)], &["datapath_type", "ports"]),
        Operation::select("Interface", &[Condition::is("type", "dpdk")], &["_uuid", "status"]),
    ]
}

fn bridge_of(row: &Row) -> Result<(String, BTreeSet<Uuid>), ValueError> {
    Ok((row.one("datapath_type")?, row.all("ports")?.into_iter().collect()))
}

fn uplink_of(row: &Row) -> Result<Uplink, ValueError> {
    let numa_node = row.texts("status")?.get("numa_id").and_then(|text| text.parse().ok());
    Ok(Uplink { uuid: row.one("_uuid")?, numa_node })
}

/// The NUMA nodes of those uplinks that belong to one of the ports. Their ports are asked for one by one: uplinks are
/// few, ports may be thousands.
fn on_bridge(
    client: &mut Client,
    uplinks: Vec<Uplink>,
    ports: &BTreeSet<Uuid>,
) -> Result<Vec<Option<u32>>, OvsdbError> {
    if uplinks.is_empty() {
        return Ok(Vec::new());
    }
    let question = |uplink: &Uplink| {
        Operation::select("Port", &[Condition::includes("interfaces", &uplink.uuid)], &["_uuid"])
    };
    let found = client.transact(DATABASE, uplinks.iter().map(question).collect())?;
    let mut nodes = Vec::new();
    for (uplink, rows) in uplinks.into_iter().zip(found) {
        for row in rows.rows() {
            let port: Uuid = row.one("_uuid").map_err(|error| client.unreadable(&error))?;
            if ports.contains(&port) {
                nodes.push(uplink.numa_node);
            }
        }
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests;
