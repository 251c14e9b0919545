//! A node: a switch, a kubelet, a configuration. Everything is below `/run`, of which every test has its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
};

use serde_json::Value;

use crate::{
    ovsdb::{Database, Ovsdb},
    plugin::{Plugin, until},
};
use kubelet_sim::{
    Device, Kubelet, PLUGIN_POD,
    messages::{AllocateRequest, ContainerAllocateRequest},
};

/// Where the guest listens: three ports.
pub const SOCKETS: &str = "vhostuser.network/sockets";

/// Where the switch listens: two ports.
pub const LISTENING: &str = "vhostuser.network/listening";

/// The switch's own.
pub const DATAPLANE: &str = "vhostuser.network/dataplane";

pub const ROOT: &str = "/run/vhostuser";
pub const DEVICE_INFO: &str = "/run/devinfo";
pub const OVSDB: &str = "/run/openvswitch/db.sock";

/// The whole configuration.
const CONFIG: &str = "\
domain: vhostuser.network
sockets: {hostRoot: /run/vhostuser, containerRoot: /var/run/vhostuser}
switches: [{name: ovs, ovsdb: /run/openvswitch/db.sock, bridge: br1, sockets: /run/openvswitch}]
resources:
- {name: sockets, ports: 3, mode: server, switch: ovs}
- {name: listening, ports: 2, mode: client, switch: ovs}
dataplane: {name: dataplane}
";

pub struct Node {
    pub kubelet: Kubelet,
    pub ovsdb: Option<Ovsdb>,
    pub database: Database,
    started: usize,
}

impl Node {
    /// With a switch whose uplinks are on NUMA node 1, and a kubelet.
    pub async fn new() -> Self {
        let kubelet = Kubelet::start(Path::new("/run/kubelet")).await;
        fs::write("/run/config.yaml", CONFIG).unwrap();
        let mut node = Self { kubelet, ovsdb: None, database: Database::default(), started: 0 };
        node.start_switch();
        node
    }

    pub fn start_switch(&mut self) {
        self.ovsdb = Some(Ovsdb::start(Path::new(OVSDB), &[1, 1], &self.database));
    }

    /// Starts a device plugin.
    pub fn plugin(&mut self) -> Plugin {
        self.plugin_with(&["--listen=127.0.0.1:0"])
    }

    /// Starts one with further arguments.
    pub fn plugin_with(&mut self, more: &[&str]) -> Plugin {
        self.started += 1;
        let kubelet_dir = self.kubelet.plugin_dir();
        let pod_resources = self.kubelet.pod_resources();
        let arguments = [
            "--config=/run/config.yaml",
            &format!("--kubelet-dir={}", kubelet_dir.display()),
            &format!("--pod-resources={}", pod_resources.display()),
            &format!("--device-info-dir={DEVICE_INFO}"),
            "--pod-namespace=default",
            &format!("--pod-name={PLUGIN_POD}"),
        ];
        Plugin::start(&[&arguments, more].concat(), Path::new(&format!("/run/plugin-{}.log", self.started)))
    }

    /// Starts one and waits until the kubelet has all its devices, and they are what a look at the switch makes of
    /// them.
    pub async fn ready_plugin(&mut self) -> Plugin {
        let mut plugin = self.plugin();
        plugin.ready().await;
        self.listened_to().await;
        plugin
    }

    /// The same where these devices are Unhealthy.
    pub async fn ready_plugin_without(&mut self, unhealthy: &[&str]) -> Plugin {
        let mut plugin = self.plugin();
        plugin.ready().await;
        until("the kubelet has the others", || {
            let devices = self.kubelet.devices(SOCKETS);
            let is_as_told = |one: &Device| one.healthy != unhealthy.contains(&one.id.as_str());
            devices.len() == 3 && devices.iter().all(is_as_told)
        })
        .await;
        plugin
    }

    /// Allocates this one device, as for a pod that the kubelet does not list yet.
    pub async fn allocate_exactly(&self, id: &str) -> Result<(), String> {
        let request = ContainerAllocateRequest { devices_ids: vec![id.to_owned()] };
        let request = AllocateRequest { container_requests: vec![request] };
        let answer = self.kubelet.client(SOCKETS).allocate(request).await;
        answer.map(drop).map_err(|status| status.message().to_owned())
    }

    /// Waits until the kubelet has all devices, as they are while the switch is there.
    pub async fn listened_to(&self) {
        until("the kubelet has all devices", || {
            let ports = [(SOCKETS, 3), (LISTENING, 2)];
            let known = ports.iter().all(|&(resource, count)| {
                let devices = self.kubelet.devices(resource);
                devices.len() == count && devices.iter().all(|one| one.healthy && one.numa_nodes == [1])
            });
            known && self.kubelet.healthy(DATAPLANE).len() == 1
        })
        .await;
    }
}

pub fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Names in a directory; none if there is no directory.
pub fn names(dir: &str) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(dir) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Owner, group and mode.
pub fn rights(path: &str) -> (u32, u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.uid(), meta.gid(), meta.mode() & 0o7777)
}

/// Every device-info file, by its name.
pub fn device_info() -> BTreeMap<String, Value> {
    let read = |name: String| {
        let text = fs::read(Path::new(DEVICE_INFO).join(&name)).unwrap();
        (name, serde_json::from_slice(&text).expect("a whole file"))
    };
    names(DEVICE_INFO).into_iter().map(read).collect()
}

/// What the device-info files of [`CONFIG`] are.
pub fn expected_device_info() -> BTreeMap<String, Value> {
    let device = |id: &str, mode: &str| {
        let (resource, _) = id.rsplit_once('-').unwrap();
        let info = serde_json::json!({
            "type": "vhost-user",
            "version": "1.1.0",
            "vhost-user": { "mode": mode, "path": format!("/var/run/vhostuser/{id}/vhost.sock") },
        });
        (format!("vhostuser.network-{resource}-{id}-device.json"), info)
    };
    let sockets = ["sockets-0", "sockets-1", "sockets-2"].map(|id| device(id, "server"));
    let listening = ["listening-0", "listening-1"].map(|id| device(id, "client"));
    sockets.into_iter().chain(listening).collect()
}
