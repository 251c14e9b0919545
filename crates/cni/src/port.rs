//! The port as it is wanted: how it is made, and where one that is there differs.

use std::path::Path;

use super::{
    config::{BridgeName, Nic},
    found::{Found, FoundPort},
    ids::{self, ExternalIds},
    limit::{self, Limit},
    vlan::Vlan,
};
use ovs::{
    port::Wanted,
    rows::{Interface, Port},
    value::{Datum, Row},
};
use vocabulary::{DeviceId, Mtu, Quoted, SocketMode, SocketPath};

/// Where OVS connects to.
const SERVER_PATH: &str = "vhost-server-path";

/// A port as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its name, and its interface's.
    pub name: String,
    /// Its bridge.
    pub bridge: BridgeName,
    /// Make the bridge if it is missing.
    pub create_bridge: bool,
    /// The device's mode.
    pub mode: SocketMode,
    /// The device's socket on the host.
    pub socket: SocketPath,
    /// VLANs.
    pub vlan: Vlan,
    /// MTU.
    pub mtu: Option<Mtu>,
    /// What the guest receives.
    pub to_guest: Option<Limit>,
    /// What the guest sends.
    pub from_guest: Option<Limit>,
    /// Its marks.
    pub ids: ExternalIds,
}

impl Wish {
    /// The wish for one device.
    pub fn new(id: &DeviceId, nic: &Nic, mode: SocketMode, socket: SocketPath, ids: ExternalIds) -> Self {
        let Nic { bridge, create_bridge, vlan, mtu, to_guest, from_guest, .. } = nic.clone();
        let name = id.port_name();
        Self { name, bridge, create_bridge, mode, socket, vlan, mtu, to_guest, from_guest, ids }
    }

    fn options(&self) -> ExternalIds {
        match self.mode {
            SocketMode::Server => ExternalIds::from([(SERVER_PATH.to_owned(), self.socket.to_string())]),
            SocketMode::Client => ExternalIds::new(),
        }
    }

    /// The same in the words of the database at this socket.
    pub fn wanted(&self, ovsdb: &Path, ipam: Option<String>) -> Wanted {
        let qos = |limit: Limit| limit.qos().with("external_ids", ids::datum(&self.ids));
        Wanted {
            ovsdb: ovsdb.to_owned(),
            name: self.name.clone(),
            bridge: self.bridge.as_str().to_owned(),
            create_bridge: self.create_bridge,
            interface: self.interface(),
            port: self.port(&ids::with_ipam(&self.ids, ipam)),
            qos: self.to_guest.map(qos),
        }
    }

    fn interface(&self) -> Row {
        let mut row = Row::default()
            .with("name", self.name.as_str())
            .with("type", self.mode.port_type())
            .with("options", Datum::map(&self.options()))
            .with("external_ids", ids::datum(&self.ids));
        if let Some(mtu) = self.mtu {
            row = row.with("mtu_request", i64::from(mtu.bytes()));
        }
        limit::write_policing(self.from_guest, row)
    }

    fn port(&self, marks: &ExternalIds) -> Row {
        let row = Row::default().with("name", self.name.as_str()).with("external_ids", ids::datum(marks));
        self.vlan.write(row)
    }

    /// Everything in which a port that is there is not the one that is wanted.
    pub fn deviations(&self, found: &Found) -> Vec<String> {
        let Some(port) = &found.port else { return vec![format!("port {} is missing", self.name)] };
        let mut all = Vec::new();
        if !port.bridges.iter().any(|bridge| bridge == self.bridge.as_str()) {
            let (is, should) = (port.bridges.join(", "), Quoted(self.bridge.as_str()));
            all.push(format!("port {} is on bridge {}, should be on {should}", self.name, Quoted(&is)));
        }
        all.extend(self.marks_deviations(port, found.interface.as_ref()));
        all.extend(self.vlan.deviation(&port.port));
        all.extend(limit::qos_deviation(self.to_guest, port.qos.as_ref()));
        match &found.interface {
            Some(interface) => all.extend(self.interface_deviations(&port.port, interface)),
            None => all.push(format!("interface {} is missing", self.name)),
        }
        all
    }

    /// What interface and QoS say otherwise than the port is reported too.
    fn marks_deviations(&self, port: &FoundPort, interface: Option<&Interface>) -> Vec<String> {
        let mut all = ids::deviations(&self.ids, &port.port.external_ids);
        let qos = port.qos.as_ref().filter(|_| self.to_guest.is_some()).map(|qos| ("QoS", &qos.external_ids));
        let interface = interface.map(|interface| ("interface", &interface.external_ids));
        for (what, is) in interface.into_iter().chain(qos) {
            let own = ids::deviations(&self.ids, is).into_iter().filter(|deviation| !all.contains(deviation));
            let own: Vec<_> = own.map(|deviation| format!("{what}: {deviation}")).collect();
            all.extend(own);
        }
        all
    }

    fn interface_deviations(&self, port: &Port, interface: &Interface) -> Vec<String> {
        let mut all = Vec::new();
        if port.interfaces != [interface.uuid.clone()] {
            all.push(format!("port {} has other interfaces than {}", self.name, self.name));
        }
        if interface.kind != self.mode.port_type() {
            all.push(format!("type is {}, should be {}", Quoted(&interface.kind), self.mode.port_type()));
        }
        let path = |options: &ExternalIds| options.get(SERVER_PATH).cloned().unwrap_or_default();
        let (is, should) = (path(&interface.options), path(&self.options()));
        if is != should {
            all.push(format!("options:{SERVER_PATH} is {}, should be {}", Quoted(&is), Quoted(&should)));
        }
        let mtu = self.mtu.map(|mtu| i64::from(mtu.bytes()));
        if interface.mtu_request != mtu {
            all.push(format!("mtu_request is {}, should be {}", number(interface.mtu_request), number(mtu)));
        }
        all.extend(limit::policing_deviation(self.from_guest, interface));
        all
    }
}

fn number(number: Option<i64>) -> String {
    number.map_or("none".to_owned(), |number| number.to_string())
}

#[cfg(test)]
pub(super) mod tests;
