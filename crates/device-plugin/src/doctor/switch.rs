//! One switch: its database, in one question, and its process.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::snapshot::{Database, Datapath, InspectedSwitch, Interface};
use host_io::look;
use ovs::{
    Client, DATABASE, OvsdbError, control,
    places::{self, BridgePorts, PortInterfaces},
    rows::{Table, select},
    value::{Row, Uuid, ValueError},
};
use vocabulary::HostDir;
use vocabulary::marks;

/// Database and process may each take so long.
pub(super) fn gather(ovsdb: &HostDir, answer: Duration) -> InspectedSwitch {
    let socket: &Path = ovsdb.as_ref();
    let run_dir = socket.parent().unwrap_or(socket);
    InspectedSwitch {
        database: database(socket, Instant::now() + answer),
        datapath: datapath(run_dir, Instant::now() + answer),
    }
}

fn datapath(run_dir: &Path, deadline: Instant) -> Datapath {
    let Some(socket) = control::vswitchd(run_dir) else { return Datapath::Unknown(run_dir.to_owned()) };
    match control::ask(&socket, "dpif/show", &[], deadline) {
        Ok(answer) => Datapath::Shows(answer),
        Err(error) => Datapath::Silent(error),
    }
}

fn database(socket: &Path, deadline: Instant) -> Result<Database, OvsdbError> {
    let mut client = Client::connect(socket, deadline)?;
    let questions = vec![
        select::<Dpdk>(&[]),
        select::<BridgePorts>(&[]),
        select::<PortInterfaces>(&[]),
        select::<Device>(&[]),
    ];
    let mut answers = client.ask(DATABASE, questions)?;
    let dpdk = answers.rows::<Dpdk>()?.pop().unwrap_or_default();
    let (bridges, ports) = (answers.rows::<BridgePorts>()?, answers.rows::<PortInterfaces>()?);
    let interfaces = on_bridges(&bridges, &ports, answers.rows::<Device>()?);
    Ok(Database {
        dpdk_initialized: dpdk.initialized,
        dpdk_version: dpdk.version,
        ovs_version: dpdk.ovs_version,
        bridges: bridges.into_iter().map(|bridge| (bridge.name, bridge.datapath_type)).collect(),
        interfaces,
    })
}

/// Those that are on a bridge, with its name.
fn on_bridges(bridges: &[BridgePorts], ports: &[PortInterfaces], devices: Vec<Device>) -> Vec<Interface> {
    let bridges = places::bridges_of(bridges, ports);
    let found = devices.into_iter().filter_map(|Device { uuid, mut interface }| {
        interface.bridge = (*bridges.get(&uuid)?).to_owned();
        Some(interface)
    });
    found.collect()
}

/// The switch's row.
#[derive(Debug, Default)]
struct Dpdk {
    initialized: bool,
    version: Option<String>,
    ovs_version: Option<String>,
}

impl Table for Dpdk {
    const TABLE: &'static str = "Open_vSwitch";
    const COLUMNS: &'static [&'static str] = &["dpdk_initialized", "dpdk_version", "ovs_version"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        Ok(Self {
            initialized: row.one("dpdk_initialized")?,
            version: row.optional("dpdk_version")?,
            ovs_version: row.optional("ovs_version")?,
        })
    }
}

/// An interface whose bridge is not known yet.
#[derive(Debug)]
struct Device {
    uuid: Uuid,
    interface: Interface,
}

impl Table for Device {
    const TABLE: &'static str = "Interface";
    const COLUMNS: &'static [&'static str] =
        &["_uuid", "name", "type", "options", "error", "status", "external_ids"];

    fn read(row: &Row) -> Result<Self, ValueError> {
        let ids = row.texts("external_ids")?;
        let mark = |key: &str| ids.get(key).cloned().unwrap_or_default();
        let ours = marks::is_ours(&ids);
        let path = row.texts("options")?.remove("vhost-server-path");
        let interface = Interface {
            bridge: String::new(),
            name: row.one("name")?,
            kind: row.one("type")?,
            leads_to: path.as_ref().map(|path| look::leads_to(Path::new(path))),
            path,
            error: row.optional("error")?,
            connected: row.texts("status")?.get("status").is_some_and(|status| status == "connected"),
            pod: ours.then(|| (mark(marks::POD_NAMESPACE), mark(marks::POD_NAME))),
        };
        Ok(Self { uuid: row.one("_uuid")?, interface })
    }
}
