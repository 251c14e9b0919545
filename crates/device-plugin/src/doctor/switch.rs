//! One switch: its database and its process.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::snapshot::{Datapath, InspectedSwitch};
use crate::switch::database::{self, InterfaceRow};
use host_io::look;
use ovs::control;
use vocabulary::HostDir;

/// Database and process may each take as long as `answer`.
pub(super) fn gather(ovsdb: &HostDir, answer: Duration) -> InspectedSwitch {
    let socket: &Path = ovsdb.as_ref();
    let run_dir = socket.parent().unwrap_or(socket);
    let database = database::read(socket, false, Instant::now() + answer);
    let interfaces = database.iter().flat_map(|database| &database.interfaces);
    let resolve = |port: &InterfaceRow| Some((port.name.clone(), look::leads_to(Path::new(port.path()?))));
    let resolved = interfaces.filter_map(resolve).collect();
    InspectedSwitch { database, resolved, datapath: datapath(run_dir, Instant::now() + answer) }
}

fn datapath(run_dir: &Path, deadline: Instant) -> Datapath {
    let Some(socket) = control::vswitchd(run_dir) else { return Datapath::Unknown(run_dir.to_owned()) };
    match control::ask(&socket, "dpif/show", &[], deadline) {
        Ok(answer) => Datapath::Shows(answer),
        Err(error) => Datapath::Silent(error),
    }
}
