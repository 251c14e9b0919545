//! The regular look at a switch. It must be cheap with thousands of ports.

use std::{path::Path, time::Instant};

use ovs::{Client, DATABASE, OvsdbError, control, rows::select};

use super::{database::SwitchRow, judgement::judge};

/// The lock that ovs-vswitchd holds in its database for as long as it lives.
const LOCK: &str = "ovs_vswitchd";

/// Returns the NUMA nodes of the bridge's uplinks, or the first reason why the switch cannot take a port.
pub(crate) fn look(socket: &Path, bridge: &str, deadline: Instant) -> Result<Vec<Option<u32>>, String> {
    let (state, vswitchd) = state(socket, deadline).map_err(|error| error.to_string())?;
    let bridge_state = match ovs::bridge_state(socket, bridge, deadline) {
        Err(OvsdbError::NoBridge { .. }) => None,
        found => Some(found.map_err(|error| error.to_string())?),
    };
    let datapath_type = bridge_state.as_ref().map(|bridge| bridge.datapath_type.as_str());
    match judge(state.dpdk_initialized, datapath_type, vswitchd).first() {
        Some(obstacle) => Err(obstacle.of_bridge(bridge)),
        None => Ok(bridge_state.map(|bridge| bridge.uplink_numa_nodes).unwrap_or_default()),
    }
}

fn state(socket: &Path, deadline: Instant) -> Result<(SwitchRow, Result<(), String>), OvsdbError> {
    let mut client = Client::connect(socket, deadline)?;
    let state = client.ask(DATABASE, vec![select::<SwitchRow>(&[])])?.rows()?.pop().unwrap_or_default();
    let run_dir = socket.parent().unwrap_or(socket);
    let vswitchd = match control::vswitchd(run_dir) {
        Some(socket) => control::ask(&socket, "version", &[], deadline).map(drop).map_err(|e| e.to_string()),
        None if client.is_held(LOCK)? => Ok(()),
        None => Err(format!("nobody holds its lock {LOCK} in the database")),
    };
    Ok((state, vswitchd))
}
