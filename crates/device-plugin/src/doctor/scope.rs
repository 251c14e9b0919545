//! What is inspected: what the device plugin's configuration names, or its defaults.

use crate::config::{Config, Sockets, Switch};
use node::fields::Mistakes;
use vocabulary::{DeviceId, SocketMode};

/// The device plugin's defaults. Bridge and resources have none: the names here are not used.
const DEFAULTS: &str =
    "{domain: vhostuser.network, switches: [{name: ovs, bridge: none}], dataplane: {name: none}}";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// The part of the resources' names before the slash; `None` without a configuration.
    pub(super) domain: Option<String>,
    pub(super) sockets: Sockets,
    pub(super) switches: Vec<Switch>,
    pub(super) devices: Vec<ConfiguredDevice>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConfiguredDevice {
    pub(super) id: DeviceId,
    /// Its resource's full name.
    pub(super) resource: String,
    /// The workload's end of the socket.
    pub(super) mode: SocketMode,
    /// The index of its switch in [`Scope::switches`].
    pub(super) switch: usize,
}

impl Scope {
    pub(super) fn of(config: Config) -> Self {
        let mut devices = Vec::new();
        for ports in &config.resources {
            let (resource, mode, switch) = (config.full_name(&ports.name), ports.mode, ports.switch);
            let device = |id| ConfiguredDevice { id, resource: resource.clone(), mode, switch };
            devices.extend(ports.devices().map(device));
        }
        let Config { domain, sockets, switches, .. } = config;
        Self { domain: Some(domain.as_str().to_owned()), sockets, switches, devices }
    }

    /// What can be inspected without a configuration.
    ///
    /// # Errors
    /// Never; the type is that of reading a configuration.
    pub(super) fn defaults() -> Result<Self, Mistakes> {
        Ok(Self { domain: None, ..Self::of(Config::parse(DEFAULTS)?) })
    }

    /// The bridge of a switch's devices; `None` without a configuration.
    pub(super) fn bridge<'s>(&self, switch: &'s Switch) -> Option<&'s str> {
        self.domain.is_some().then_some(switch.bridge.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_configuration_names() {
        let config = Config::parse(include_str!("../../../../examples/device-plugin.yaml")).unwrap();
        let scope = Scope::of(config);
        assert_eq!(scope.devices.len(), 40);
        assert_eq!(
            scope.devices[32],
            ConfiguredDevice {
                id: "listening-0".parse().unwrap(),
                resource: "vhostuser.network/listening".to_owned(),
                mode: SocketMode::Client,
                switch: 0
            }
        );
        assert_eq!(scope.bridge(&scope.switches[0]), Some("br-phy"));
    }

    #[test]
    fn without_one_takes_the_defaults() {
        let scope = Scope::defaults().unwrap();
        assert_eq!((&scope.domain, scope.devices.len()), (&None, 0));
        assert_eq!(scope.sockets.host_root.to_string(), "/var/run/vhostuser");
        assert_eq!(scope.switches[0].ovsdb.to_string(), "/var/run/openvswitch/db.sock");
        assert_eq!(scope.bridge(&scope.switches[0]), None);
    }
}
