//! A stand-in for ovsdb-server that knows one bridge and its uplinks, and keeps the ports that others make: as rows of
//! the table Port, for as long as its database lives (ovsdb-server(7), RFC 7047).

use std::{
    fs,
    io::{BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::{Deserializer, Value, json};

/// The ports of others than the uplinks, which outlive the server. A new database is a lost one.
#[derive(Clone, Default)]
pub struct Database(Arc<Mutex<Vec<Value>>>);

/// Runs until it is dropped. Its socket is then gone, as after `ovs-ctl stop`.
pub struct Ovsdb {
    socket: PathBuf,
    stopped: Arc<AtomicBool>,
}

impl Database {
    fn rows(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap()
    }

    /// The names of its ports.
    pub fn ports(&self) -> Vec<String> {
        self.rows().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    }

    /// A column of a port.
    pub fn column(&self, port: &str, column: &str) -> Value {
        self.rows().iter().find(|row| row["name"] == port).unwrap()[column].clone()
    }

    /// A port with these marks, as a CNI plugin leaves it.
    pub fn plug(&self, name: &str, marks: &[(&str, &str)]) {
        self.insert(&json!({"name": name, "external_ids": ["map", marks]}));
    }

    fn insert(&self, row: &Value) {
        let mut rows = self.rows();
        let uuid = json!(["uuid", format!("36bef046-7da7-43a5-905b-{:012x}", rows.len() + 1)]);
        let none = json!(["set", []]);
        let mut whole = json!({"_uuid": uuid, "interfaces": uuid, "tag": none, "trunks": none, "vlan_mode": none, "qos": none});
        whole.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
        whole["interfaces"] = uuid;
        rows.push(whole);
    }

    fn find(&self, operation: &Value) -> Vec<Value> {
        let conditions = operation["where"].as_array().unwrap();
        let holds = |row: &Value| conditions.iter().all(|condition| holds(row, condition));
        self.rows().iter().filter(|row| holds(row)).cloned().collect()
    }

    fn delete(&self, operation: &Value) {
        let found = self.find(operation);
        self.rows().retain(|row| !found.contains(row));
    }
}

/// Maps include others as sets of pairs do.
fn holds(row: &Value, condition: &Value) -> bool {
    let (column, wanted) = (&row[condition[0].as_str().unwrap()], &condition[2]);
    match condition[1].as_str().unwrap() {
        "includes" if wanted[0] == "map" => {
            let pairs = column[1].as_array().unwrap();
            wanted[1].as_array().unwrap().iter().all(|pair| pairs.contains(pair))
        }
        _ => column == wanted,
    }
}

impl Ovsdb {
    /// Serves a bridge `br1` whose uplinks are on these NUMA nodes, with the ports of a database.
    pub fn start(socket: &Path, uplinks: &[u32], database: &Database) -> Self {
        Self::start_with(socket, uplinks, (true, true), database)
    }

    /// The same, with or without DPDK and an ovs-vswitchd.
    pub fn start_with(
        socket: &Path,
        uplinks: &[u32],
        (dpdk, vswitchd): (bool, bool),
        database: &Database,
    ) -> Self {
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let switch = Switch { uplinks: uplinks.to_vec(), dpdk, vswitchd, database: database.clone() };
        thread::spawn(move || {
            for connection in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                answer_all(connection.unwrap(), &switch);
            }
        });
        Self { socket: socket.to_owned(), stopped }
    }
}

impl Drop for Ovsdb {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread.
        let _ = UnixStream::connect(&self.socket);
        fs::remove_file(&self.socket).unwrap();
    }
}

struct Switch {
    uplinks: Vec<u32>,
    dpdk: bool,
    vswitchd: bool,
    database: Database,
}

fn answer_all(mut connection: UnixStream, switch: &Switch) {
    let reader = BufReader::new(connection.try_clone().unwrap());
    for request in Deserializer::from_reader(reader).into_iter::<Value>().map_while(Result::ok) {
        // `lock` and `unlock`: ovs-vswitchd holds its lock for as long as it lives.
        let result = match request["method"] == "transact" {
            true => transact(&request, switch),
            false => json!({"locked": !switch.vswitchd}),
        };
        let answer = json!({"id": request["id"], "result": result, "error": null});
        if connection.write_all(answer.to_string().as_bytes()).is_err() {
            return;
        }
    }
}

/// Up to the first operation that fails: those of the programs begin with what may fail.
fn transact(request: &Value, switch: &Switch) -> Value {
    let mut results = Vec::new();
    for operation in request["params"].as_array().unwrap().iter().skip(1) {
        let rows = || rows(operation, switch);
        let result = match (operation["op"].as_str().unwrap(), operation["table"].as_str()) {
            ("select", _) => json!({"rows": rows()}),
            ("wait", _)
                if rows().as_array().unwrap().len() != operation["rows"].as_array().unwrap().len() =>
            {
                results.push(json!({"error": "timed out"}));
                break;
            }
            ("insert", Some("Port")) => {
                switch.database.insert(&operation["row"]);
                json!({"uuid": ["uuid", "36bef046-7da7-43a5-905a-c17899216fcb"]})
            }
            ("delete", Some("Port")) => {
                switch.database.delete(operation);
                json!({"count": 1})
            }
            _ => json!({}),
        };
        results.push(result);
    }
    results.into()
}

/// All uplinks are in one port, which is the bridge's.
fn rows(operation: &Value, switch: &Switch) -> Value {
    let uuid = |number: usize| json!(["uuid", format!("36bef046-7da7-43a5-905a-{number:012x}")]);
    match operation["table"].as_str().unwrap() {
        "Bridge" if operation["where"][0][2] == "br1" => {
            json!([{"_uuid": uuid(99), "name": "br1", "datapath_type": "netdev", "ports": ["set", [uuid(0)]]}])
        }
        "Interface" if operation["where"][0][2] == "dpdk" => {
            let numbered = switch.uplinks.iter().enumerate();
            let row = |(number, node): (usize, &u32)| json!({"_uuid": uuid(number + 1), "status": ["map", [["numa_id", node.to_string()]]]});
            numbered.map(row).collect()
        }
        "Port" if operation["where"][0][0] == "interfaces" => json!([{"_uuid": uuid(0)}]),
        "Port" => switch.database.find(operation).into(),
        "Bridge" | "Interface" | "QoS" => json!([]),
        "Open_vSwitch" => {
            json!([{"next_cfg": 1, "dpdk_initialized": switch.dpdk, "dpdk_version": "DPDK 24.11.4", "ovs_version": "3.5.0"}])
        }
        table => panic!("nobody asks for table {table}"),
    }
}
