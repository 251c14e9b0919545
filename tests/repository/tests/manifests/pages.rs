//! The paths that probes and Prometheus ask for, asked of the running device plugin.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{
    daemonset::pod,
    yaml::{document, named, string},
};

/// It refuses mounts that nobody else would see. These are shared with nobody but could be.
const SHARED: &str = r#"mount --make-rshared / && exec "$0" "$@""#;

/// A plugin without a kubelet, in a mount namespace of its own.
struct Plugin {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Plugin {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("kubelet")).unwrap();
        let config = format!(
            "domain: d.example\nsockets: {{hostRoot: {}}}\nswitches: [{{name: s, bridge: b}}]\n\
             resources: [{{name: r, ports: 1, mode: server, switch: s}}]\n",
            at("root").display()
        );
        fs::write(at("config.yaml"), config).unwrap();
        let mut child = Command::new("unshare")
            .args(["--mount", "--kill-child", "--fork", "sh", "-c", SHARED])
            .arg(programs::device_plugin())
            .arg("--listen=127.0.0.1:0")
            .arg("--config")
            .arg(at("config.yaml"))
            .arg("--kubelet-dir")
            .arg(at("kubelet"))
            .arg("--pod-resources")
            .arg(at("none"))
            .arg("--device-info-dir")
            .arg(at("devinfo"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = log.find(|line| line.contains("\"listening\"")).expect("the line that tells the address");
        let address = line.split("127.0.0.1:").nth(1).unwrap();
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        // Read on, or the plugin would wait for a reader.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, address: format!("127.0.0.1:{port}"), _dir: dir }
    }

    fn status(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_page_that_is_asked_for_is_there() {
    let pod = pod();
    let container = named(&pod["containers"], "device-plugin");
    let probe = |kind: &str| -> Value { container[kind]["httpGet"]["path"].clone() };
    let monitor = document("manifests/podmonitor/podmonitor.yaml", "PodMonitor");
    let metrics = &monitor["spec"]["podMetricsEndpoints"][0]["path"];
    let plugin = Plugin::start();
    assert_eq!(plugin.status(string(&probe("startupProbe"))), "200");
    assert_eq!(plugin.status(string(&probe("livenessProbe"))), "200");
    // Nobody registers it.
    assert_eq!(plugin.status(string(&probe("readinessProbe"))), "503");
    assert_eq!(plugin.status(string(metrics)), "200");
    assert_eq!(plugin.status("/other"), "404");
}
