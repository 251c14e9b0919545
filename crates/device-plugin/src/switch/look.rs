//! The regular look at a switch. It must be cheap with thousands of ports.

use std::{path::Path, time::Instant};

use ovs::{
    Client, DATABASE, Obstacle, OvsdbError,
    judge::{judge, vswitchd},
    rows::select,
};

use super::database::SwitchRow;

/// Returns the NUMA nodes of the bridge's uplinks, or the first reason why the switch cannot take a port.
pub(crate) fn look(socket: &Path, bridge: &str, deadline: Instant) -> Result<Vec<Option<u32>>, String> {
    let (state, vswitchd) = state(socket, deadline).map_err(|error| error.to_string())?;
    // A hung switch has taken the whole time, and ovsdb-server must not be blamed for that.
    vswitchd.map_err(|obstacle| obstacle.of_bridge(bridge))?;
    let bridge_state = match ovs::bridge_state(socket, bridge, deadline) {
        Err(OvsdbError::NoBridge { .. }) => None,
        found => Some(found.map_err(|error| error.to_string())?),
    };
    let datapath_type = bridge_state.as_ref().map(|bridge| bridge.datapath_type.as_str());
    match judge(state.dpdk_initialized, datapath_type, Ok(())).first() {
        Some(obstacle) => Err(obstacle.of_bridge(bridge)),
        None => Ok(bridge_state.map(|bridge| bridge.uplink_numa_nodes).unwrap_or_default()),
    }
}

fn state(socket: &Path, deadline: Instant) -> Result<(SwitchRow, Result<(), Obstacle>), OvsdbError> {
    let mut client = Client::connect(socket, deadline)?;
    let state = client.ask(DATABASE, vec![select::<SwitchRow>(&[])])?.rows()?.pop().unwrap_or_default();
    let vswitchd = vswitchd(&mut client, socket.parent().unwrap_or(socket), deadline)?;
    Ok((state, vswitchd))
}
