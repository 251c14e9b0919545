//! A port of ours as it is wanted, and the transaction that makes it.
//!
//! What is wanted can be written down and plugged again later, by another program and another release: it is in the
//! database's own words.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Client, DATABASE, OvsdbError,
    operation::{Condition, Operation},
    rows::{Bridge, NextConfig, select},
    value::{Datum, Named, Row},
};
use vocabulary::marks::{CONTAINER, IFNAME, OWNER, OWNER_NAME};

/// A port as it is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The database that it belongs to, by its socket.
    pub ovsdb: PathBuf,
    /// Its name, and its interface's.
    pub name: String,
    /// Its bridge.
    pub bridge: String,
    /// Make the bridge if it is missing.
    pub create_bridge: bool,
    /// Its interface.
    pub interface: Row,
    /// The port, without a limit.
    pub port: Row,
    /// The limit on what goes out of it.
    pub qos: Option<Row>,
}

/// A transaction that begins with conditions: if one of them fails, others have changed something meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Creation {
    /// All operations. The last one reads the number that ovs-vswitchd is to reach.
    pub operations: Vec<Operation>,
    /// How many of them, from the first, are conditions.
    pub guards: usize,
}

/// The marks by which an attachment is found.
pub fn of_attachment(container: &str, ifname: &str) -> Datum {
    Datum::map([(OWNER, OWNER_NAME), (CONTAINER, container), (IFNAME, ifname)])
}

impl Wanted {
    /// The port's marks.
    pub fn marks(&self) -> BTreeMap<String, String> {
        self.port.texts("external_ids").unwrap_or_default()
    }

    /// Makes the port, and its bridge if `with_bridge`, unless somebody else was quicker.
    pub fn creation(&self, with_bridge: bool) -> Creation {
        let mut operations = self.guards(with_bridge);
        let guards = operations.len();
        if with_bridge {
            operations.extend(new_bridge(&self.bridge));
        }
        operations.push(Operation::insert("Interface", "interface", self.interface.clone()));
        let mut port = self.port.clone().with("interfaces", Named::row("interface"));
        if let Some(qos) = &self.qos {
            operations.push(Operation::insert("QoS", "qos", qos.clone()));
            port = port.with("qos", Named::row("qos"));
        }
        operations.push(Operation::insert("Port", "port", port));
        let bridge = [Condition::is("name", self.bridge.as_str())];
        operations.push(Operation::add("Bridge", &bridge, "ports", Named::row("port")));
        operations.push(Operation::comment(&format!("vhostuser: plug {}", self.name)));
        operations.extend(next_config());
        Creation { operations, guards }
    }

    fn guards(&self, with_bridge: bool) -> Vec<Operation> {
        let bridge = Condition::is("name", self.bridge.as_str());
        let bridge = match with_bridge {
            true => none("Bridge", bridge),
            false => {
                let conditions = [bridge, Condition::is("datapath_type", "netdev")];
                let row = Row::default().with("name", self.bridge.as_str());
                Operation::wait("Bridge", &conditions, "name", vec![row], Duration::ZERO)
            }
        };
        let marks = self.marks();
        let mark = |key| marks.get(key).map_or("", String::as_str);
        let attachment = of_attachment(mark(CONTAINER), mark(IFNAME));
        vec![
            bridge,
            none("Interface", Condition::is("name", self.name.as_str())),
            none("Port", Condition::is("name", self.name.as_str())),
            none("Port", Condition::includes("external_ids", attachment)),
        ]
    }
}

/// Makes the port. Gives the number that ovs-vswitchd is to reach; `None` if the bridge is not as it must be, or the
/// name or the attachment is taken.
///
/// # Errors
/// The transaction was refused; or there was no answer, and then it is not known whether it was carried out.
pub fn plug(client: &mut Client, wanted: &Wanted, with_bridge: bool) -> Result<Option<i64>, OvsdbError> {
    let Creation { operations, guards } = wanted.creation(with_bridge);
    match client.ask(DATABASE, operations) {
        Ok(answers) => {
            let config = answers.last().rows::<NextConfig>()?.pop();
            Ok(Some(config.map_or(0, |NextConfig(config)| config)))
        }
        Err(error) => match error.operation() {
            Some((index, "timed out")) if index < guards => Ok(None),
            _ => Err(error),
        },
    }
}

/// The same for a port that was lost with its database; its bridge is made if it may be.
///
/// # Errors
/// As there.
pub fn plug_again(client: &mut Client, wanted: &Wanted) -> Result<Option<i64>, OvsdbError> {
    let name = [Condition::is("name", wanted.bridge.as_str())];
    let bridges = client.ask(DATABASE, vec![select::<Bridge>(&name)])?.rows::<Bridge>()?;
    plug(client, wanted, wanted.create_bridge && bridges.is_empty())
}

/// Fails if there is such a row.
fn none(table: &str, condition: Condition) -> Operation {
    Operation::wait(table, &[condition], "name", Vec::new(), Duration::ZERO)
}

/// A bridge with the userspace datapath, and the port of its own that every bridge has.
fn new_bridge(name: &str) -> [Operation; 4] {
    let row = || Row::default().with("name", name);
    let bridge = row()
        .with("datapath_type", "netdev")
        .with("ports", Named::row("local_port"))
        .with("external_ids", Datum::map([(OWNER, OWNER_NAME)]));
    [
        Operation::insert("Interface", "local_interface", row().with("type", "internal")),
        Operation::insert("Port", "local_port", row().with("interfaces", Named::row("local_interface"))),
        Operation::insert("Bridge", "bridge", bridge),
        Operation::add("Open_vSwitch", &[], "bridges", Named::row("bridge")),
    ]
}

/// Tells ovs-vswitchd that there is something to do, and reads the number of it.
pub(super) fn next_config() -> [Operation; 2] {
    [Operation::increment("Open_vSwitch", "next_cfg"), select::<NextConfig>(&[])]
}
