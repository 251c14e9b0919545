//! The one judgement of a switch: can it take a port on this bridge, and if not, why not. Pure but for
//! [`vswitchd`], which asks. ADD, STATUS, CHECK, device health and doctor go by it.

use std::{path::Path, time::Instant};

use vocabulary::Quoted;

use super::{Client, OvsdbError, control};

/// The lock that ovs-vswitchd holds in its database for as long as it lives.
const LOCK: &str = "ovs_vswitchd";

/// Why a switch cannot take a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// ovs-vswitchd does not answer on its control socket; holds the reason.
    Silent(String),
    /// It has no control socket here, and nobody holds its lock in the database.
    Unserved,
    /// DPDK is not initialized.
    NoDpdk,
    /// The bridge does not exist.
    NoBridge,
    /// The bridge has this other datapath type than `netdev`.
    NotUserspace(String),
}

/// Returns every obstacle, the gravest first. `datapath_type` is the bridge's, `None` if there is no such bridge;
/// `vswitchd` comes from [`vswitchd`], or is `Ok` for a caller that finds out by plugging a port.
pub fn judge(
    dpdk_initialized: bool,
    datapath_type: Option<&str>,
    vswitchd: Result<(), Obstacle>,
) -> Vec<Obstacle> {
    let dpdk = (!dpdk_initialized).then_some(Obstacle::NoDpdk);
    vswitchd.err().into_iter().chain(dpdk).chain(judge_bridge(datapath_type)).collect()
}

/// The part about the bridge.
pub fn judge_bridge(datapath_type: Option<&str>) -> Option<Obstacle> {
    match datapath_type {
        None => Some(Obstacle::NoBridge),
        Some("netdev") => None,
        // OVS's default.
        Some("") => Some(Obstacle::NotUserspace("system".to_owned())),
        Some(other) => Some(Obstacle::NotUserspace(other.to_owned())),
    }
}

impl Obstacle {
    /// The obstacle and how to remove it, for a bridge of this name.
    pub fn of_bridge(&self, bridge: &str) -> String {
        let bridge = Quoted(bridge);
        match self {
            Self::Silent(reason) => format!("ovs-vswitchd does not answer: {reason}"),
            Self::Unserved => {
                format!("no ovs-vswitchd serves this database (nobody holds its lock {LOCK}): start it")
            }
            Self::NoDpdk => {
                "OVS runs without DPDK: set other_config:dpdk-init=true in its table Open_vSwitch, restart \
                             ovs-vswitchd and look at its log"
                    .to_owned()
            }
            Self::NoBridge => format!("OVS has no bridge {bridge}: create it with datapath_type=netdev"),
            Self::NotUserspace(kind) => format!(
                "bridge {bridge} has datapath_type {}: vhost-user ports need 'netdev', the userspace datapath",
                Quoted(kind)
            ),
        }
    }
}

/// Asks whether ovs-vswitchd is alive: on its control socket in `run_dir`, or, where that is not visible, by its lock in
/// the database.
///
/// # Errors
/// ovsdb-server could not be asked for the lock.
pub fn vswitchd(
    client: &mut Client,
    run_dir: &Path,
    deadline: Instant,
) -> Result<Result<(), Obstacle>, OvsdbError> {
    if let Some(socket) = control::vswitchd(run_dir) {
        let answer = control::ask(&socket, "version", &[], deadline);
        return Ok(answer.map(drop).map_err(|error| Obstacle::Silent(error.to_string())));
    }
    Ok(if client.is_held(LOCK)? { Ok(()) } else { Err(Obstacle::Unserved) })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn found(dpdk: bool, bridge: Option<&str>, vswitchd: Result<(), Obstacle>) -> String {
        let obstacles = judge(dpdk, bridge, vswitchd);
        obstacles.iter().map(|obstacle| obstacle.of_bridge("br1") + "\n").collect()
    }

    #[test]
    fn a_switch_without_obstacles_takes_a_port() {
        assert_eq!(judge(true, Some("netdev"), Ok(())), []);
    }

    #[test]
    fn every_obstacle_is_reported_the_gravest_first() {
        expect![[r#"
            no ovs-vswitchd serves this database (nobody holds its lock ovs_vswitchd): start it
            OVS runs without DPDK: set other_config:dpdk-init=true in its table Open_vSwitch, restart ovs-vswitchd and look at its log
            OVS has no bridge 'br1': create it with datapath_type=netdev
        "#]]
        .assert_eq(&found(false, None, Err(Obstacle::Unserved)));
        let silent = Obstacle::Silent("gone".to_owned());
        assert_eq!(found(true, Some("netdev"), Err(silent)), "ovs-vswitchd does not answer: gone\n");
    }

    #[test]
    fn only_the_userspace_datapath_takes_a_port() {
        for (kind, shown) in [("system", "system"), ("", "system"), ("other", "other")] {
            let text = format!(
                "bridge 'br1' has datapath_type '{shown}': vhost-user ports need 'netdev', the userspace datapath\n"
            );
            assert_eq!(found(true, Some(kind), Ok(())), text);
        }
    }
}
