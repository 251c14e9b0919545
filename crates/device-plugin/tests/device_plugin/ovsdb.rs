//! A stand-in for ovsdb-server that knows one bridge and its uplinks.

use std::{
    fs,
    io::{BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use serde_json::{Deserializer, Value, json};

/// Runs until it is dropped. Its socket is then gone, as after `ovs-ctl stop`.
pub struct Ovsdb {
    socket: PathBuf,
    stopped: Arc<AtomicBool>,
}

impl Ovsdb {
    /// Serves a bridge `br1` whose uplinks are on these NUMA nodes.
    pub fn start(socket: &Path, uplinks: &[u32]) -> Self {
        Self::start_with(socket, uplinks, true, true)
    }

    /// The same, with or without DPDK and an ovs-vswitchd.
    pub fn start_with(socket: &Path, uplinks: &[u32], dpdk: bool, vswitchd: bool) -> Self {
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let switch = Switch { uplinks: uplinks.to_vec(), dpdk, vswitchd };
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
}

fn answer_all(mut connection: UnixStream, switch: &Switch) {
    let reader = BufReader::new(connection.try_clone().unwrap());
    for request in Deserializer::from_reader(reader).into_iter::<Value>().map_while(Result::ok) {
        // `lock` and `unlock`: ovs-vswitchd holds its lock for as long as it lives.
        if request["method"] != "transact" {
            let answer = json!({"id": request["id"], "result": {"locked": !switch.vswitchd}, "error": null});
            if connection.write_all(answer.to_string().as_bytes()).is_err() {
                return;
            }
            continue;
        }
        let operations = request["params"].as_array().unwrap().iter().skip(1);
        let results: Vec<_> = operations.map(|operation| json!({"rows": rows(operation, switch)})).collect();
        let answer = json!({"id": request["id"], "result": results, "error": null});
        if connection.write_all(answer.to_string().as_bytes()).is_err() {
            return;
        }
    }
}

/// All uplinks are in one port, which is the bridge's.
fn rows(operation: &Value, switch: &Switch) -> Value {
    let uuid = |number: usize| json!(["uuid", format!("36bef046-7da7-43a5-905a-{number:012x}")]);
    match operation["table"].as_str().unwrap() {
        "Bridge" if operation["where"][0][2] == "br1" => {
            json!([{"datapath_type": "netdev", "ports": ["set", [uuid(0)]]}])
        }
        "Bridge" => json!([]),
        "Interface" => {
            let numbered = switch.uplinks.iter().enumerate();
            let row = |(number, node): (usize, &u32)| json!({"_uuid": uuid(number + 1), "status": ["map", [["numa_id", node.to_string()]]]});
            numbered.map(row).collect()
        }
        "Port" => json!([{"_uuid": uuid(0)}]),
        "Open_vSwitch" => {
            json!([{"dpdk_initialized": switch.dpdk, "dpdk_version": "DPDK 24.11.4", "ovs_version": "3.5.0"}])
        }
        table => panic!("nobody asks for table {table}"),
    }
}
