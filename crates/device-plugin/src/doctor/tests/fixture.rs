//! A node in a directory: files as the kernel, the device plugin and OVS have them, and servers for OVS's sockets.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::doctor::{Sources, examine};
use ovs_sim as stub;
use vocabulary::DeviceId;

/// What a test may break. By default nothing is wrong: device `s-0` has a guest that is connected, `c-0` a guest on
/// the switch's socket, `s-1` is free.
pub(super) struct Node {
    dir: TempDir,
    pub(super) hugepages: (u32, u32),
    pub(super) mount: Option<&'static str>,
    pub(super) sees_all: bool,
    pub(super) configured: bool,
    pub(super) ovsdb: bool,
    pub(super) dpdk: bool,
    pub(super) bridge: Option<&'static str>,
    pub(super) uplink: bool,
    pub(super) pid: bool,
    pub(super) vswitchd: bool,
    /// Interfaces besides the uplink: name, type, path, error, connected.
    pub(super) ports: Vec<Port>,
    /// Names that the datapath lacks.
    pub(super) absent: Vec<String>,
    /// Bound paths that somebody listens on.
    pub(super) listeners: Vec<String>,
    sockets: Vec<UnixListener>,
}

pub(super) struct Port {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) path: Option<String>,
    pub(super) error: Option<&'static str>,
    pub(super) connected: bool,
    pub(super) ours: bool,
}

pub(super) fn port_of(id: &str) -> String {
    id.parse::<DeviceId>().unwrap().port_name()
}

impl Node {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut node = Self {
            dir,
            hugepages: (1024, 100),
            mount: Some("rw,nosuid,nodev,noexec,nosymfollow"),
            sees_all: true,
            configured: true,
            ovsdb: true,
            dpdk: true,
            bridge: Some("netdev"),
            uplink: true,
            pid: true,
            vswitchd: true,
            ports: Vec::new(),
            absent: Vec::new(),
            listeners: Vec::new(),
            sockets: Vec::new(),
        };
        for dir in ["run/sockets", "info", "root", "proc/self/ns", "proc/100/ns", "proc/100/net"] {
            fs::create_dir_all(node.path(dir)).unwrap();
        }
        mode(&node.path("root"), 0o711);
        for (id, mode) in [("s-0", "server"), ("s-1", "server"), ("c-0", "client")] {
            node.add_device(id, mode);
        }
        node.plug("s-0", "dpdkvhostuserclient");
        node.plug("c-0", "dpdkvhostuser");
        node.listen("s-0");
        node.sockets.push(UnixListener::bind(node.path("root/c-0/pod/vhost.sock")).unwrap());
        node
    }

    pub(super) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub(super) fn port(&mut self, id: &str) -> &mut Port {
        let name = port_of(id);
        self.ports.iter_mut().find(|port| port.name == name).unwrap()
    }

    pub(super) fn unplug(&mut self, id: &str) {
        self.ports.retain(|port| port.name != port_of(id));
    }

    pub(super) fn plug(&mut self, id: &str, kind: &'static str) {
        let path = self.path(&format!("root/{id}/pod/vhost.sock")).to_str().unwrap().to_owned();
        let path = (kind == "dpdkvhostuserclient").then_some(path);
        self.ports.push(Port { name: port_of(id), kind, path, error: None, connected: true, ours: true });
    }

    /// A guest that listens. Its own path is another, in its own root directory.
    pub(super) fn listen(&mut self, id: &str) {
        self.leave_socket(id);
        self.listeners.push(format!("/{id}/pod/vhost.sock"));
    }

    pub(super) fn leave_socket(&mut self, id: &str) {
        self.sockets.push(UnixListener::bind(self.path(&format!("root/{id}/pod/vhost.sock"))).unwrap());
    }

    pub(super) fn switch_socket(&mut self, id: &str) -> String {
        let path = self.path(&format!("run/sockets/{}", port_of(id)));
        self.sockets.push(UnixListener::bind(&path).unwrap());
        path.to_str().unwrap().to_owned()
    }

    pub(super) fn info(&self, id: &str) -> PathBuf {
        let resource = id.split('-').next().unwrap();
        self.path(&format!("info/test.domain-{resource}-{id}-device.json"))
    }

    pub(super) fn write_info(&self, id: &str, mode: &str, path: &str) {
        let json = json!({"type": "vhost-user", "vhost-user": {"mode": mode, "path": path}});
        fs::write(self.info(id), json.to_string()).unwrap();
    }

    fn add_device(&self, id: &str, mode_: &str) {
        let path = self.path(&format!("root/{id}/pod"));
        fs::create_dir_all(&path).unwrap();
        let (uid, bits) = if mode_ == "server" { (107, 0o770) } else { (0, 0o750) };
        chown(&path, Some(uid), Some(107)).unwrap();
        mode(&path, bits);
        self.write_info(id, mode_, &format!("/container/{id}/vhost.sock"));
    }

    /// Each finding's text, with the node's directory as `T`.
    pub(super) fn findings(&mut self) -> Vec<String> {
        self.report().findings.iter().map(|finding| self.shown(&finding.to_string())).collect()
    }

    pub(super) fn facts(&mut self) -> Vec<String> {
        self.report().facts.iter().map(|fact| self.shown(fact)).collect()
    }

    pub(super) fn shown(&self, text: &str) -> String {
        text.replace(self.dir.path().to_str().unwrap(), "T")
    }

    fn report(&mut self) -> findings::Report {
        self.write();
        examine(&self.sources()).unwrap()
    }

    pub(super) fn sources(&self) -> Sources {
        Sources {
            config: Some(self.path("config.yaml")),
            device_info: self.path("info"),
            pod_resources: self.path("kubelet.sock"),
            proc: self.path("proc"),
            sys: self.path("sys"),
            answer: Duration::from_secs(20),
        }
    }

    pub(super) fn write(&self) {
        self.write_config();
        self.write_kernel();
        if self.ovsdb {
            let result = self.database();
            stub::answer(&self.path("run"), vec![result]);
        }
        if self.pid {
            fs::write(self.path("run/ovs-vswitchd.pid"), "42\n").unwrap();
        }
        if self.vswitchd {
            let dir = self.path("control");
            fs::create_dir(&dir).unwrap();
            let socket = stub::answer(&dir, vec![json!(self.dpif_show())]);
            symlink(socket, self.path("run/ovs-vswitchd.42.ctl")).unwrap();
        } else {
            // Left by one that was killed.
            drop(UnixListener::bind(self.path("run/ovs-vswitchd.42.ctl")).unwrap());
        }
    }

    fn write_config(&self) {
        let yaml = json!({
            "domain": "test.domain",
            "sockets": {"hostRoot": self.path("root"), "containerRoot": "/container"},
            "switches": [{"name": "ovs", "ovsdb": self.path("run/db.sock"), "bridge": "br1",
                          "sockets": self.path("run/sockets")}],
            "resources": [{"name": "s", "ports": 2, "mode": "server", "switch": "ovs"},
                          {"name": "c", "ports": 1, "mode": "client", "switch": "ovs"}],
        });
        if self.configured {
            fs::write(self.path("config.yaml"), yaml.to_string()).unwrap();
        }
    }

    fn write_kernel(&self) {
        let pool = self.path("sys/kernel/mm/hugepages/hugepages-2048kB");
        fs::create_dir_all(&pool).unwrap();
        fs::write(pool.join("nr_hugepages"), format!("{}\n", self.hugepages.0)).unwrap();
        fs::write(pool.join("free_hugepages"), format!("{}\n", self.hugepages.1)).unwrap();
        let root = self.path("root");
        let mount = self.mount.map(|options| format!("3 2 0:5 / {} {options} - x x rw\n", root.display()));
        let table = format!("2 1 0:4 / / rw - x x rw\n{}", mount.unwrap_or_default());
        fs::write(self.path("proc/self/mountinfo"), table).unwrap();
        let namespace = if self.sees_all { "pid:[4026531836]" } else { "pid:[1]" };
        symlink(namespace, self.path("proc/self/ns/pid")).unwrap();
        symlink("net:[1]", self.path("proc/100/ns/net")).unwrap();
        symlink("mnt:[1]", self.path("proc/100/ns/mnt")).unwrap();
        symlink(&root, self.path("proc/100/root")).unwrap();
        let line = |path: &String| format!("ff: 00000002 00000000 00010000 0001 01 7 {path}\n");
        let table: String = self.listeners.iter().map(line).collect();
        fs::write(self.path("proc/100/net/unix"), table).unwrap();
    }

    fn dpif_show(&self) -> String {
        let names = self.ports.iter().map(|port| port.name.as_str()).chain(self.uplink.then_some("up0"));
        let there = names.filter(|name| !self.absent.iter().any(|absent| absent == name));
        let lines: String = there.map(|name| format!("    {name} 1/2: (x)\n")).collect();
        format!("netdev@ovs-netdev: hit:0 missed:0\n  br1:\n{lines}")
    }

    fn database(&self) -> Value {
        let uuid =
            |kind: u32, number: usize| json!(["uuid", format!("{kind:08x}-0000-0000-0000-{number:012x}")]);
        let mut rows: Vec<Value> = self.ports.iter().map(Port::row).collect();
        if self.uplink {
            rows.push(json!({"name": "up0", "type": "dpdk", "options": ["map", []], "error": ["set", []],
                             "ofport": 1, "mtu": 1500, "link_state": "up", "statistics": ["map", []], "status": ["map", []], "external_ids": ["map", []]}));
        }
        for (number, row) in rows.iter_mut().enumerate() {
            row["_uuid"] = uuid(1, number);
        }
        let port = |number| json!({"_uuid": uuid(2, number), "interfaces": uuid(1, number)});
        let ports: Vec<_> = (0..rows.len()).map(port).collect();
        let all: Vec<_> = (0..rows.len()).map(|number| uuid(2, number)).collect();
        let bridge =
            self.bridge.map(|kind| json!({"name": "br1", "datapath_type": kind, "ports": ["set", all]}));
        let switch =
            json!({"dpdk_initialized": self.dpdk, "dpdk_version": "DPDK 24.11.4", "ovs_version": "3.5.0"});
        json!([{"rows": [switch]}, {"rows": bridge.into_iter().collect::<Vec<_>>()}, {"rows": ports}, {"rows": rows}])
    }
}

impl Port {
    fn row(&self) -> Value {
        let path: Vec<_> = self.path.iter().map(|path| json!(["vhost-server-path", path])).collect();
        let status = if self.connected { "connected" } else { "disconnected" };
        let ids = match self.ours {
            true => json!([
                "map",
                [
                    ["vhostuser-owner", "network-vhostuser-binding"],
                    ["pod-namespace", "ns"],
                    ["pod-name", "virt-launcher-vm-x7k2p"]
                ]
            ]),
            false => json!(["map", []]),
        };
        let error = self.error.map_or(json!(["set", []]), Value::from);
        json!({"name": self.name, "type": self.kind, "options": ["map", path], "error": error,
               "ofport": 1, "mtu": 1500, "link_state": "up", "statistics": ["map", []], "status": ["map", [["status", status]]], "external_ids": ids})
    }
}

pub(super) fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}
