//! What OVSDB says of a bridge, a port and an attachment, before anything is decided.

use super::{
    config::BridgeName,
    environment::Attachment,
    ids::{self, Holder},
    switch::Ovs,
};
use ovs::{
    Obstacle, OvsdbError,
    judge::judge,
    operation::Condition,
    ours::Ours,
    rows::{Bridge, Interface, OpenVSwitch, Port, Qos, select, select_whole},
};
use vocabulary::SocketMode;

/// What is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The switch, unless its database is empty.
    pub switch: Option<OpenVSwitch>,
    /// The bridge.
    pub bridge: Option<Bridge>,
    /// The port of the device's name.
    pub port: Option<FoundPort>,
    /// The interface of that name, whoever's port it belongs to.
    pub interface: Option<Interface>,
    /// All ports that carry the attachment's marks.
    pub of_attachment: Vec<Port>,
}

/// A port, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPort {
    /// The port.
    pub port: Port,
    /// The limit on what goes out of it.
    pub qos: Option<Qos>,
    /// The bridges that have it: one.
    pub bridges: Vec<String>,
    /// It is ours, and the sandbox that it was made for is certainly gone.
    pub is_abandoned: bool,
}

impl Found {
    /// Looks, in two transactions at most.
    pub fn read(
        ovs: &mut Ovs,
        bridge: &BridgeName,
        port: &str,
        attachment: &Attachment,
    ) -> Result<Self, OvsdbError> {
        let named = |name: &str| [Condition::is("name", name)];
        let of_attachment = [Condition::includes("external_ids", ids::of_attachment(attachment))];
        let mut answers = ovs.ask(vec![
            select::<OpenVSwitch>(&[]),
            select::<Bridge>(&named(bridge.as_str())),
            select::<Port>(&named(port)),
            select_whole::<Interface>(&named(port)),
            select::<Port>(&of_attachment),
        ])?;
        let switch = answers.rows()?.pop();
        let bridge = answers.rows()?.pop();
        let port: Option<Port> = answers.rows()?.pop();
        let interface = answers.rows()?.pop();
        let of_attachment = answers.rows()?;
        let port = port.map(|port| FoundPort::read(ovs, port)).transpose()?;
        Ok(Self { switch, bridge, port, interface, of_attachment })
    }
}

impl Found {
    /// What keeps the switch from taking a port on the bridge.
    pub fn obstacles(&self, vswitchd: Result<(), Obstacle>) -> Vec<Obstacle> {
        let dpdk_initialized = self.switch.as_ref().is_some_and(|switch| switch.dpdk_initialized);
        let datapath_type = self.bridge.as_ref().map(|bridge| bridge.datapath_type.as_str());
        judge(dpdk_initialized, datapath_type, vswitchd)
    }

    /// The mode that the port's type stands for; without a port of such a type the usual one, for it is missing or wrong
    /// whatever the mode.
    pub fn mode(&self) -> SocketMode {
        let interface = self.interface.as_ref();
        interface.and_then(|is| SocketMode::of_port_type(&is.kind)).unwrap_or(SocketMode::Server)
    }
}

impl FoundPort {
    /// All of it that carries our marks.
    pub fn ours(&self) -> Ours {
        let qos = self.qos.iter().filter(|qos| Holder::of(&qos.external_ids).is_some());
        Ours { ports: vec![self.port.clone()], qos: qos.cloned().collect() }
    }

    fn read(ovs: &mut Ovs, port: Port) -> Result<Self, OvsdbError> {
        let mut questions = vec![select::<Bridge>(&[Condition::includes("ports", &port.uuid)])];
        questions.extend(port.qos.iter().map(|qos| select::<Qos>(&[Condition::is("_uuid", qos)])));
        let mut answers = ovs.ask(questions)?;
        let bridges = answers.rows()?.into_iter().map(|bridge: Bridge| bridge.name).collect();
        let qos = if port.qos.is_some() { answers.rows()?.pop() } else { None };
        let is_abandoned = Holder::of(&port.external_ids).is_some_and(|holder| holder.is_gone());
        Ok(Self { port, qos, bridges, is_abandoned })
    }
}
