//! What carries our marks, and taking it away.

use std::collections::BTreeMap;

use super::{
    Client, DATABASE, OvsdbError,
    operation::{Condition, Operation},
    port::next_config,
    rows::{NextConfig, Port, Qos, select},
    value::{Datum, Uuid},
};

/// OVSDB's word for a row that others refer to.
const STILL_USED: &str = "referential integrity violation";

/// What carries our marks.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    /// Ports.
    pub ports: Vec<Port>,
    /// Limits; also such as have lost their port, because they do not go with it.
    pub qos: Vec<Qos>,
}

impl Ours {
    /// All that carries these marks, in one transaction.
    ///
    /// # Errors
    /// There is no answer, or it cannot be read.
    pub fn read(client: &mut Client, marks: &Datum) -> Result<Self, OvsdbError> {
        let condition = [Condition::includes("external_ids", marks.clone())];
        let questions = vec![select::<Port>(&condition), select::<Qos>(&condition)];
        let mut answers = client.ask(DATABASE, questions)?;
        Ok(Self { ports: answers.rows()?, qos: answers.rows()? })
    }

    /// Only those whose marks are like this.
    pub fn only(mut self, wanted: impl Fn(&BTreeMap<String, String>) -> bool) -> Self {
        self.ports.retain(|port| wanted(&port.external_ids));
        self.qos.retain(|qos| wanted(&qos.external_ids));
        self
    }

    /// The marks of each.
    pub fn ids(&self) -> impl Iterator<Item = &BTreeMap<String, String>> {
        let of_qos = self.qos.iter().map(|qos| &qos.external_ids);
        self.ports.iter().map(|port| &port.external_ids).chain(of_qos)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.qos.is_empty()
    }

    /// A port would go by itself with its bridge's reference, but only after OVSDB has refused to delete a limit that
    /// the port still refers to.
    fn removal(&self, with_limits: bool) -> Vec<Operation> {
        let mut operations = Vec::new();
        for port in &self.ports {
            let bridge = [Condition::includes("ports", &port.uuid)];
            operations.push(Operation::take("Bridge", &bridge, "ports", &port.uuid));
            operations.push(Operation::delete("Port", &[Condition::is("_uuid", &port.uuid)]));
            operations.push(Operation::comment(&format!("vhostuser: unplug {}", port.name)));
        }
        let limits = self.qos.iter().filter(|_| with_limits);
        operations.extend(limits.map(|qos| Operation::delete("QoS", &[Condition::is("_uuid", &qos.uuid)])));
        operations.extend(next_config());
        operations
    }
}

/// Removes it all in one transaction. Gives the number that ovs-vswitchd is to reach.
///
/// # Errors
/// The transaction was refused, or there was no answer.
pub fn unplug(client: &mut Client, ours: &Ours) -> Result<i64, OvsdbError> {
    let answers = match client.ask(DATABASE, ours.removal(true)) {
        // A limit that somebody has given to another port too is not ours alone any more.
        Err(OvsdbError::Operation { error, .. }) if error == STILL_USED => {
            let answers = client.ask(DATABASE, ours.removal(false));
            ours.qos.iter().try_for_each(|qos| remove_unused(client, &qos.uuid))?;
            answers
        }
        result => result,
    };
    let config = answers?.last().rows::<NextConfig>()?.pop();
    Ok(config.map_or(0, |NextConfig(config)| config))
}

/// Removes a limit unless a port still has it.
fn remove_unused(client: &mut Client, qos: &Uuid) -> Result<(), OvsdbError> {
    let operation = Operation::delete("QoS", &[Condition::is("_uuid", qos)]);
    match client.ask(DATABASE, vec![operation]) {
        Err(OvsdbError::Operation { error, .. }) if error == STILL_USED => Ok(()),
        result => result.map(drop),
    }
}
