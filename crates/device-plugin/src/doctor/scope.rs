//! What a look at a node is about: the device plugin's configuration, or what can be said without one.

use crate::config::{Config, Ports, Sockets};
use node::fields::Mistakes;
use vocabulary::{DeviceId, HostDir, SocketMode};

/// Where nothing is configured: the device plugin's defaults. Bridge and resources have none, so the names here are
/// taken out again.
const DEFAULTS: &str =
    "{domain: vhostuser.network, switches: [{name: ovs, bridge: none}], dataplane: {name: none}}";

/// What is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The part of the resources' names before the slash; nothing without a configuration.
    pub domain: Option<String>,
    /// Where sockets are, and whose.
    pub sockets: Sockets,
    /// The switches.
    pub switches: Vec<Switch>,
    /// The devices.
    pub devices: Vec<Device>,
}

/// A switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// What the configuration calls it.
    pub name: String,
    /// The socket of its OVSDB server.
    pub ovsdb: HostDir,
    /// The bridge of the devices; nothing without a configuration.
    pub bridge: Option<String>,
    /// Where it makes the sockets on which it listens.
    pub sockets: Option<HostDir>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Its resource's whole name.
    pub resource: String,
    /// The workload's end of the socket.
    pub mode: SocketMode,
    /// Its switch, by its place in [`Scope::switches`].
    pub switch: usize,
}

impl Scope {
    /// All that a configuration names.
    pub fn of(config: &Config) -> Self {
        let device = |ports: &Ports, id| {
            let resource = config.full_name(&ports.name);
            Device { id, resource, mode: ports.mode, switch: ports.switch }
        };
        let devices =
            config.resources.iter().flat_map(|ports| ports.devices().map(move |id| device(ports, id)));
        let switches = config.switches.iter().map(|switch| Switch {
            name: switch.name.clone(),
            ovsdb: switch.ovsdb.clone(),
            bridge: Some(switch.bridge.clone()),
            sockets: switch.sockets.clone(),
        });
        Self {
            domain: Some(config.domain.as_str().to_owned()),
            sockets: config.sockets.clone(),
            switches: switches.collect(),
            devices: devices.collect(),
        }
    }

    /// What there is to look at without a configuration.
    ///
    /// # Errors
    /// Never; the type is that of reading a configuration.
    pub fn defaults() -> Result<Self, Mistakes> {
        let mut scope = Self::of(&Config::parse(DEFAULTS)?);
        scope.domain = None;
        scope.switches.iter_mut().for_each(|switch| switch.bridge = None);
        Ok(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_configuration_names() {
        let config = Config::parse(include_str!("../../../../examples/device-plugin.yaml")).unwrap();
        let scope = Scope::of(&config);
        assert_eq!(scope.devices.len(), 40);
        assert_eq!(
            scope.devices[32],
            Device {
                id: "listening-0".parse().unwrap(),
                resource: "vhostuser.network/listening".to_owned(),
                mode: SocketMode::Client,
                switch: 0
            }
        );
        assert_eq!(scope.switches[0].bridge.as_deref(), Some("br-phy"));
    }

    #[test]
    fn without_one_takes_the_defaults() {
        let scope = Scope::defaults().unwrap();
        assert_eq!((scope.domain, scope.devices.len()), (None, 0));
        assert_eq!(scope.sockets.host_root.to_string(), "/var/run/vhostuser");
        assert_eq!(scope.switches[0].ovsdb.to_string(), "/var/run/openvswitch/db.sock");
        assert_eq!(scope.switches[0].bridge, None);
    }
}
