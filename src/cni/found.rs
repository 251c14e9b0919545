//! What OVSDB says of a bridge, a port and an attachment, before anything is decided.

use std::time::{Duration, Instant};

use super::{config::BridgeName, environment::Attachment, ids, switch::Ovs};
use crate::ovsdb::{
    OvsdbError,
    operation::{Condition, Operation},
    rows::{Bridge, Interface, OpenVSwitch, Port, Qos, select},
};

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
            select::<Interface>(&named(port)),
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

impl FoundPort {
    fn read(ovs: &mut Ovs, port: Port) -> Result<Self, OvsdbError> {
        let mut questions = vec![select::<Bridge>(&[Condition::includes("ports", &port.uuid)])];
        questions.extend(port.qos.iter().map(|qos| select::<Qos>(&[Condition::is("_uuid", qos)])));
        let mut answers = ovs.ask(questions)?;
        let bridges = answers.rows()?.into_iter().map(|bridge: Bridge| bridge.name).collect();
        let qos = if port.qos.is_some() { answers.rows()?.pop() } else { None };
        Ok(Self { port, qos, bridges })
    }
}

/// How old an answer may be on which files are removed.
const FRESH: Duration = Duration::from_millis(100);

/// How often a slow database is asked again for that.
const READS: usize = 3;

/// What carries our marks.
#[derive(Debug, Default)]
pub struct Ours {
    /// Ports.
    pub ports: Vec<Port>,
    /// Limits; also such as have lost their port, because they do not go with it.
    pub qos: Vec<Qos>,
}

impl Ours {
    /// All that carries these marks, in one transaction.
    pub fn read(ovs: &mut Ovs, marks: crate::ovsdb::value::Datum) -> Result<Self, OvsdbError> {
        let condition = [Condition::includes("external_ids", marks)];
        let questions: Vec<Operation> = vec![select::<Port>(&condition), select::<Qos>(&condition)];
        let mut answers = ovs.ask(questions)?;
        Ok(Self { ports: answers.rows()?, qos: answers.rows()? })
    }

    /// The same, from an answer that has come at once: while one is on its way others may have taken the device over.
    pub fn read_fresh(ovs: &mut Ovs, marks: &crate::ovsdb::value::Datum) -> Result<Self, OvsdbError> {
        for _ in 0..READS {
            let asked = Instant::now();
            let ours = Self::read(ovs, marks.clone())?;
            if asked.elapsed() < FRESH {
                return Ok(ours);
            }
        }
        Self::read(ovs, marks.clone())
    }

    /// Only those whose marks are like this.
    pub fn only(mut self, wanted: impl Fn(&ids::ExternalIds) -> bool) -> Self {
        self.ports.retain(|port| wanted(&port.external_ids));
        self.qos.retain(|qos| wanted(&qos.external_ids));
        self
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.qos.is_empty()
    }
}
