use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::config::Nic;

/// A socket root, a device plugin's folder and a place for Multus' copy.
struct Node {
    dir: TempDir,
}

impl Node {
    fn new(device: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root").join(device).join("pod")).unwrap();
        fs::create_dir(dir.path().join("dp")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn find_with(&self, device: &str, extra: &Value) -> Result<(DeviceInfo, SocketDir), CniError> {
        let mut config = json!({"name": "blue", "bridge": "br1", "socketRoot": self.path("root")});
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let (network, nic) = Nic::parse(&config)?;
        let runtime = Runtime {
            device: device.parse().unwrap(),
            info_file: Some(self.path("cni/staged.json")),
            mac: None,
        };
        let info = info(&self.path("dp"), &runtime, nic.mode)?;
        Ok((info, directory(&network.root, &runtime.device, nic.group)?))
    }

    fn find(&self, device: &str) -> Result<(DeviceInfo, SocketDir), CniError> {
        self.find_with(device, &json!({}))
    }

    fn mode(&self, device: &str) -> SocketMode {
        self.find(device).unwrap().0.mode
    }

    /// What is said, without the node's own path.
    fn refusal(&self, result: Result<(DeviceInfo, SocketDir), CniError>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code(), 102);
        error.to_string().replace(self.dir.path().to_str().unwrap(), "")
    }
}

fn json_of(mode: &str, device: &str) -> String {
    let path = format!("/var/run/vhostuser/{device}/vhost.sock");
    json!({"type": "vhost-user", "version": "1.1.0", "vhost-user": {"mode": mode, "path": path}}).to_string()
}

#[test]
fn multus_copy_comes_first() {
    let node = Node::new("ovs-0");
    node.write("dp/vhostuser.network-ovs-ovs-0-device.json", &json_of("server", "ovs-0"));
    assert_eq!(node.mode("ovs-0"), SocketMode::Server);
    fs::create_dir(node.path("cni")).unwrap();
    node.write("cni/staged.json", &json_of("client", "ovs-0"));
    assert_eq!(node.mode("ovs-0"), SocketMode::Client);
    node.write("cni/staged.json", "{");
    assert_eq!(
        node.refusal(node.find("ovs-0")),
        "device ovs-0: /cni/staged.json: is not JSON: EOF while parsing an object at line 1 column 1"
    );
}

#[test]
fn the_plugins_file_is_found_by_the_id_and_nothing_else() {
    let node = Node::new("0");
    node.write("dp/a-sockets-0-device.json", &json_of("server", "sockets-0"));
    assert_eq!(
        node.refusal(node.find("0")),
        "device 0: /dp/a-sockets-0-device.json: its path '/var/run/vhostuser/sockets-0/vhost.sock' does not end in \
         '/0/vhost.sock', so it belongs to another device: which socket the pod would get is not certain; check the \
         device plugin"
    );
    node.write("dp/b-0-device.json", &json_of("server", "0"));
    node.write("dp/c-0-device.json", r#"{"type":"pci"}"#);
    assert!(node.find("0").is_ok());
    node.write("dp/d-0-device.json", &json_of("server", "0"));
    let refusal = node.refusal(node.find("0"));
    assert!(
        refusal.starts_with("device 0: /dp: /dp/b-0-device.json and /dp/d-0-device.json describe it: "),
        "{refusal}"
    );
}

#[test]
fn tells_what_is_missing_or_of_another_kind() {
    let node = Node::new("ovs-0");
    assert_eq!(
        node.refusal(node.find("ovs-0")),
        "device ovs-0: /dp: no file *-ovs-0-device.json describes the device: check that vhostuser-device-plugin runs on \
         this node, and give the NAD the capability CNIDeviceInfoFile"
    );
    fs::remove_dir(node.path("dp")).unwrap();
    assert!(node.refusal(node.find("ovs-0")).contains("no file *-ovs-0-device.json"));
    fs::create_dir(node.path("dp")).unwrap();
    node.write("dp/x-ovs-0-device.json", r#"{"type":"pci"}"#);
    assert_eq!(
        node.refusal(node.find("ovs-0")),
        "device ovs-0: /dp/x-ovs-0-device.json: deviceInfo.type is 'pci', expected 'vhost-user': the NAD must use a vhost-user CNI plugin and resource"
    );
    node.write("dp/x-ovs-0-device.json", &json_of("server", "ovs-0").replace("vhost.sock", "other.sock"));
    assert!(node.refusal(node.find("ovs-0")).contains("does not end in '/ovs-0/vhost.sock'"));
}

#[test]
fn what_the_nad_says_must_be_true() {
    let node = Node::new("ovs-0");
    node.write("dp/x-ovs-0-device.json", &json_of("server", "ovs-0"));
    assert!(node.find_with("ovs-0", &json!({"mode": "server"})).is_ok());
    assert_eq!(
        node.refusal(node.find_with("ovs-0", &json!({"mode": "client"}))),
        "device ovs-0: /dp/x-ovs-0-device.json: its mode is 'server' (guest listens, switch connects), the NAD's is \
         'client' (guest connects, switch listens): correct the NAD, or name a resource of that mode"
    );
    let gid = node.find("ovs-0").unwrap().1.owner().unwrap().gid;
    assert!(node.find_with("ovs-0", &json!({"group": gid})).is_ok());
    assert_eq!(
        node.refusal(node.find_with("ovs-0", &json!({"group": gid + 1}))),
        format!(
            "device ovs-0: /root/ovs-0/pod: belongs to group {gid}, the NAD's group is {}: set the device plugin's \
             sockets.owner.gid, or correct the NAD",
            gid + 1
        )
    );
}

#[test]
fn the_host_must_have_the_directory() {
    let node = Node::new("ovs-0");
    node.write("dp/x-ovs-1-device.json", &json_of("server", "ovs-1"));
    assert_eq!(
        node.refusal(node.find("ovs-1")),
        "device ovs-1: /root/ovs-1/pod: does not exist: socketRoot must be the device plugin's sockets.hostRoot, and the \
         device plugin must have given the device to the pod"
    );
}

#[test]
fn completes_what_multus_will_read() {
    let node = Node::new("ovs-0");
    node.write("dp/x-ovs-0-device.json", &json_of("client", "ovs-0"));
    let (file, other) = (node.path("cni/staged.json"), node.path("cni/deep/er/staged.json"));
    let (info, _) = node.find("ovs-0").unwrap();
    let (complete, json) = (|file| complete(&info, file).unwrap(), info.json().to_string());
    assert!(!is_complete(&info, Some(&file)).unwrap());
    complete(Some(&file));
    assert_eq!(fs::read_to_string(&file).unwrap(), json);
    // What says the same already is left alone.
    node.write("cni/staged.json", &format!(" {json}"));
    assert!(is_complete(&info, Some(&file)).unwrap());
    complete(Some(&file));
    assert!(fs::read_to_string(&file).unwrap().starts_with(' '));
    node.write("cni/staged.json", &json_of("client", "ovs-0").replace("1.1.0", "1.0.0"));
    assert!(!is_complete(&info, Some(&file)).unwrap());
    complete(Some(&file));
    assert_eq!(fs::read_to_string(&file).unwrap(), json);
    complete(Some(&other));
    assert_eq!(fs::read_to_string(&other).unwrap(), json);
    assert!(is_complete(&info, None).unwrap());
    complete(None);
}
