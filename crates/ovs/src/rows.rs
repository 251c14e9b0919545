//! The columns of Open vSwitch's tables that are read here (ovs-vswitchd.conf.db(5)).

use std::collections::BTreeMap;

use super::{
    operation::{Condition, Operation},
    value::{Row, Uuid, ValueError},
};

/// A table's row as a type of its own.
pub trait Table: Sized {
    /// The table's name.
    const TABLE: &'static str;

    /// The columns that are read.
    const COLUMNS: &'static [&'static str];

    /// Reads them.
    ///
    /// # Errors
    /// A column is missing or of another kind.
    fn read(row: &Row) -> Result<Self, ValueError>;
}

/// Reads the rows of a table for which all conditions hold.
pub fn select<T: Table>(conditions: &[Condition]) -> Operation {
    Operation::select(T::TABLE, conditions, T::COLUMNS)
}

/// The same with all columns of the schema, for those that only newer ones have.
pub fn select_whole<T: Table>(conditions: &[Condition]) -> Operation {
    Operation::select_whole(T::TABLE, conditions)
}

/// How many changes the switch has to carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextConfig(pub i64);

impl Table for NextConfig {
    const TABLE: &'static str = "Open_vSwitch";
    const COLUMNS: &'static [&'static str] = &["next_cfg"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        row.one("next_cfg").map(Self)
    }
}

/// The one row that stands for the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenVSwitch {
    /// Counts the changes that are to be carried out.
    pub next_cfg: i64,
    /// How far ovs-vswitchd has come.
    pub cur_cfg: i64,
    /// Whether DPDK runs.
    pub dpdk_initialized: bool,
}

impl Table for OpenVSwitch {
    const TABLE: &'static str = "Open_vSwitch";
    const COLUMNS: &'static [&'static str] = &["next_cfg", "cur_cfg", "dpdk_initialized"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            next_cfg: row.one("next_cfg")?,
            cur_cfg: row.one("cur_cfg")?,
            dpdk_initialized: row.one("dpdk_initialized")?,
        })
    }
}

/// A bridge, without its ports, of which there may be thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// `netdev` is the userspace datapath, the only one that DPDK ports can be in.
    pub datapath_type: String,
}

impl Table for Bridge {
    const TABLE: &'static str = "Bridge";
    const COLUMNS: &'static [&'static str] = &["_uuid", "name", "datapath_type"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self { uuid: row.one("_uuid")?, name: row.one("name")?, datapath_type: row.one("datapath_type")? })
    }
}

/// A port of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name.
    pub name: String,
    /// What it is made of; more than one for a bond.
    pub interfaces: Vec<Uuid>,
    /// The VLAN of an access port, or the native one.
    pub tag: Option<i64>,
    /// The VLANs of a trunk.
    pub trunks: Vec<i64>,
    /// What `tag` and `trunks` mean.
    pub vlan_mode: Option<String>,
    /// Its quality of service.
    pub qos: Option<Uuid>,
    /// Notes of whoever made it.
    pub external_ids: BTreeMap<String, String>,
}

impl Table for Port {
    const TABLE: &'static str = "Port";
    const COLUMNS: &'static [&'static str] =
        &["_uuid", "name", "interfaces", "tag", "trunks", "vlan_mode", "qos", "external_ids"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            uuid: row.one("_uuid")?,
            name: row.one("name")?,
            interfaces: row.all("interfaces")?,
            tag: row.optional("tag")?,
            trunks: row.all("trunks")?,
            vlan_mode: row.optional("vlan_mode")?,
            qos: row.optional("qos")?,
            external_ids: row.texts("external_ids")?,
        })
    }
}

/// The device behind a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its identity.
    pub uuid: Uuid,
    /// Its name, by which the datapath knows it.
    pub name: String,
    /// What kind of device.
    pub kind: String,
    /// How it is set up.
    pub options: BTreeMap<String, String>,
    /// The OpenFlow port; -1 if it could not be made, nothing if nobody has tried.
    pub ofport: Option<i64>,
    /// Why it could not be made.
    pub error: Option<String>,
    /// The MTU that was asked for, in bytes.
    pub mtu_request: Option<i64>,
    /// The MTU that it has, in bytes.
    pub mtu: Option<i64>,
    /// The most that is taken from it, in kbit/s; 0 for no limit.
    pub ingress_policing_rate: i64,
    /// How much more for a moment, in kbit.
    pub ingress_policing_burst: i64,
    /// The same in thousands of packets, for a second and for a moment; read by [`select_whole`] from a schema that has
    /// the columns, else 0.
    pub ingress_policing_kpkts: (i64, i64),
    /// `up` or `down`.
    pub link_state: Option<String>,
    /// The MAC address.
    pub mac_in_use: Option<String>,
    /// What the device says of itself.
    pub status: BTreeMap<String, String>,
    /// Counters.
    pub statistics: BTreeMap<String, i64>,
    /// Notes of whoever made it.
    pub external_ids: BTreeMap<String, String>,
}

impl Table for Interface {
    const TABLE: &'static str = "Interface";
    const COLUMNS: &'static [&'static str] = &[
        "_uuid",
        "name",
        "type",
        "options",
        "ofport",
        "error",
        "mtu_request",
        "mtu",
        "ingress_policing_rate",
        "ingress_policing_burst",
        "link_state",
        "mac_in_use",
        "status",
        "statistics",
        "external_ids",
    ];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            uuid: row.one("_uuid")?,
            name: row.one("name")?,
            kind: row.one("type")?,
            options: row.texts("options")?,
            ofport: row.optional("ofport")?,
            error: row.optional("error")?,
            mtu_request: row.optional("mtu_request")?,
            mtu: row.optional("mtu")?,
            ingress_policing_rate: row.one("ingress_policing_rate")?,
            ingress_policing_burst: row.one("ingress_policing_burst")?,
            ingress_policing_kpkts: (
                row.if_there("ingress_policing_kpkts_rate")?.unwrap_or(0),
                row.if_there("ingress_policing_kpkts_burst")?.unwrap_or(0),
            ),
            link_state: row.optional("link_state")?,
            mac_in_use: row.optional("mac_in_use")?,
            status: row.texts("status")?,
            statistics: row.numbers("statistics")?,
            external_ids: row.texts("external_ids")?,
        })
    }
}

/// A limit on what goes out of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qos {
    /// Its identity.
    pub uuid: Uuid,
    /// How it is done.
    pub kind: String,
    /// Its parameters.
    pub other_config: BTreeMap<String, String>,
    /// Notes of whoever made it.
    pub external_ids: BTreeMap<String, String>,
}

impl Table for Qos {
    const TABLE: &'static str = "QoS";
    const COLUMNS: &'static [&'static str] = &["_uuid", "type", "other_config", "external_ids"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            uuid: row.one("_uuid")?,
            kind: row.one("type")?,
            other_config: row.texts("other_config")?,
            external_ids: row.texts("external_ids")?,
        })
    }
}
