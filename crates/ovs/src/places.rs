//! On which bridge an interface is: OVSDB points from bridges to ports to interfaces.

use std::collections::BTreeMap;

use super::{
    rows::Table,
    value::{Row, Uuid, ValueError},
};

/// A bridge and its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePorts {
    /// The bridge's name.
    pub name: String,
    /// `netdev` is the userspace datapath.
    pub datapath_type: String,
    /// Its ports.
    pub ports: Vec<Uuid>,
}

impl Table for BridgePorts {
    const TABLE: &'static str = "Bridge";
    const COLUMNS: &'static [&'static str] = &["name", "datapath_type", "ports"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            name: row.one("name")?,
            datapath_type: row.one("datapath_type")?,
            ports: row.all("ports")?,
        })
    }
}

/// A port and its interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInterfaces {
    /// The port.
    pub uuid: Uuid,
    /// More than one for a bond.
    pub interfaces: Vec<Uuid>,
}

impl Table for PortInterfaces {
    const TABLE: &'static str = "Port";
    const COLUMNS: &'static [&'static str] = &["_uuid", "interfaces"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self { uuid: row.one("_uuid")?, interfaces: row.all("interfaces")? })
    }
}

/// Each interface's bridge. Ports that are not given are left out, and so are ports without a bridge.
pub fn bridges_of<'r>(
    bridges: &'r [BridgePorts],
    ports: &'r [PortInterfaces],
) -> BTreeMap<&'r Uuid, &'r str> {
    let of_port: BTreeMap<&Uuid, &str> = bridges
        .iter()
        .flat_map(|bridge| bridge.ports.iter().map(|port| (port, bridge.name.as_str())))
        .collect();
    let placed = ports.iter().filter_map(|port| of_port.get(&port.uuid).map(|bridge| (port, *bridge)));
    placed
        .flat_map(|(port, bridge)| port.interfaces.iter().map(move |interface| (interface, bridge)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_ports_to_their_bridges() {
        let uuid = |digit: u8| Uuid::parse(&format!("{digit:08}-0000-0000-0000-000000000000")).unwrap();
        let bridge =
            |name: &str, ports| BridgePorts { name: name.to_owned(), datapath_type: String::new(), ports };
        let port = |port, interfaces| PortInterfaces { uuid: port, interfaces };
        let bridges = [bridge("br1", vec![uuid(1), uuid(2)]), bridge("br2", vec![uuid(3)])];
        let ports = [
            port(uuid(1), vec![uuid(11)]),
            port(uuid(3), vec![uuid(31), uuid(32)]),
            port(uuid(4), vec![uuid(41)]),
        ];
        let (first, second, third) = (uuid(11), uuid(31), uuid(32));
        assert_eq!(
            bridges_of(&bridges, &ports),
            BTreeMap::from([(&first, "br1"), (&second, "br2"), (&third, "br2")])
        );
    }
}
