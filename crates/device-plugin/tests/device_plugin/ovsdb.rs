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
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (stop, uplinks) = (Arc::clone(&stopped), uplinks.to_vec());
        thread::spawn(move || {
            for connection in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                answer_all(connection.unwrap(), &uplinks);
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

fn answer_all(mut connection: UnixStream, uplinks: &[u32]) {
    let reader = BufReader::new(connection.try_clone().unwrap());
    for request in Deserializer::from_reader(reader).into_iter::<Value>().map_while(Result::ok) {
        // Another client holds ovs-vswitchd's lock: ovs-vswitchd.
        if request["method"] != "transact" {
            let answer = json!({"id": request["id"], "result": {"locked": false}, "error": null});
            if connection.write_all(answer.to_string().as_bytes()).is_err() {
                return;
            }
            continue;
        }
        let operations = request["params"].as_array().unwrap().iter().skip(1);
        let results: Vec<_> = operations.map(|operation| json!({"rows": rows(operation, uplinks)})).collect();
        let answer = json!({"id": request["id"], "result": results, "error": null});
        if connection.write_all(answer.to_string().as_bytes()).is_err() {
            return;
        }
    }
}

/// All uplinks are in one port, which is the bridge's.
fn rows(operation: &Value, uplinks: &[u32]) -> Value {
    let uuid = |number: usize| json!(["uuid", format!("36bef046-7da7-43a5-905a-{number:012x}")]);
    match operation["table"].as_str().unwrap() {
        "Bridge" if operation["where"][0][2] == "br1" => {
            json!([{"datapath_type": "netdev", "ports": ["set", [uuid(0)]]}])
        }
        "Bridge" => json!([]),
        "Interface" => {
            let numbered = uplinks.iter().enumerate();
            let row = |(number, node): (usize, &u32)| json!({"_uuid": uuid(number + 1), "status": ["map", [["numa_id", node.to_string()]]]});
            numbered.map(row).collect()
        }
        "Port" => json!([{"_uuid": uuid(0)}]),
        "Open_vSwitch" => {
            json!([{"dpdk_initialized": true, "dpdk_version": "DPDK 24.11.4", "ovs_version": "3.5.0"}])
        }
        table => panic!("nobody asks for table {table}"),
    }
}
