//! Whether a switch can take a port on a bridge, and why not. Pure: health and doctor go by it.

/// Why a switch cannot take a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    NoDpdk,
    NoBridge,
    /// The bridge's datapath type.
    NotUserspace(String),
    /// Why ovs-vswitchd does not answer.
    Vswitchd(String),
}

/// `datapath_type` is that of the bridge, `None` if there is none; `vswitchd` whether it answers.
pub(crate) fn judge(
    dpdk_initialized: bool,
    datapath_type: Option<&str>,
    vswitchd: Result<(), String>,
) -> Vec<Obstacle> {
    let dpdk = (!dpdk_initialized).then_some(Obstacle::NoDpdk);
    vswitchd
        .err()
        .map(Obstacle::Vswitchd)
        .into_iter()
        .chain(dpdk)
        .chain(judge_bridge(datapath_type))
        .collect()
}

/// The part about the bridge.
pub(crate) fn judge_bridge(datapath_type: Option<&str>) -> Option<Obstacle> {
    match datapath_type {
        None => Some(Obstacle::NoBridge),
        Some("netdev") => None,
        // OVS's default.
        Some("") => Some(Obstacle::NotUserspace("system".to_owned())),
        Some(other) => Some(Obstacle::NotUserspace(other.to_owned())),
    }
}

impl Obstacle {
    /// The obstacle as a sentence, for a bridge of this name.
    pub(crate) fn of_bridge(&self, bridge: &str) -> String {
        match self {
            Self::NoDpdk => {
                "OVS runs without DPDK: ovs-vsctl set Open_vSwitch . other_config:dpdk-init=true, then \
                             restart ovs-vswitchd"
                    .to_owned()
            }
            Self::NoBridge => format!(
                "OVS has no bridge {bridge}: ovs-vsctl add-br {bridge} -- set bridge {bridge} datapath_type=netdev"
            ),
            Self::NotUserspace(kind) => format!(
                "bridge {bridge} has the datapath type {kind}, and DPDK ports need netdev: ovs-vsctl set bridge {bridge} \
                 datapath_type=netdev"
            ),
            Self::Vswitchd(reason) => format!("ovs-vswitchd does not answer: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_must_be_right() {
        let found = |dpdk, bridge, vswitchd: Result<(), &str>| -> Vec<String> {
            let obstacles = judge(dpdk, bridge, vswitchd.map_err(str::to_owned));
            obstacles.iter().map(|obstacle| obstacle.of_bridge("br1")).collect()
        };
        assert_eq!(found(true, Some("netdev"), Ok(())), [""; 0]);
        assert_eq!(
            found(false, None, Err("gone")),
            [
                "ovs-vswitchd does not answer: gone",
                "OVS runs without DPDK: ovs-vsctl set Open_vSwitch . other_config:dpdk-init=true, then restart \
                 ovs-vswitchd",
                "OVS has no bridge br1: ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev",
            ]
        );
        for (kind, shown) in [("system", "system"), ("", "system"), ("other", "other")] {
            let expected = format!(
                "bridge br1 has the datapath type {shown}, and DPDK ports need netdev: ovs-vsctl set bridge br1 \
                 datapath_type=netdev"
            );
            assert_eq!(found(true, Some(kind), Ok(())), [expected]);
        }
    }
}
