//! What the cases attach, and how they look at the switch.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vocabulary::DeviceId;

use super::call::{Answer, Call, SANDBOXES};
use super::neighbour::NEIGHBOUR;
use dataplane::agent::DEVICE_INFO;
use dataplane::multus::CNI_DEVICE_INFO;
use dataplane::process::run;
use dataplane::wait::seconds;

/// The socket root, beside the device plugin's own: these devices are none of its.
pub(crate) const ROOT: &str = "/run/cni-devices";

/// Where Multus would look for device-info.
pub(crate) const INFO: &str = CNI_DEVICE_INFO;

pub(crate) const OVSDB: &str = "/run/openvswitch/db.sock";
pub(crate) const CONTROL: &str = "/run/openvswitch/ovs-vswitchd.ctl";

/// An administrator's own port, which nobody may touch.
const ADMINS: &str = "admins";

/// Everything that is configured, nothing that ovs-vswitchd reports.
const TABLES: [(&str, &str); 5] = [
    ("Bridge", "_uuid,name,datapath_type,ports,external_ids"),
    ("Port", "_uuid,name,interfaces,qos,tag,trunks,vlan_mode,external_ids"),
    (
        "Interface",
        "_uuid,name,type,options,mtu_request,ingress_policing_rate,ingress_policing_burst,external_ids",
    ),
    ("QoS", "_uuid,type,other_config,queues,external_ids"),
    ("Queue", "_uuid,other_config,external_ids"),
];

/// Devices and an administrator's port; dropping it leaves the switch as it was, also after a failure.
pub(crate) struct Lab {
    before: String,
}

impl Lab {
    /// With so many devices, `lab-0` and so on, whose guests listen.
    pub(crate) fn new(devices: usize) -> Result<Self> {
        fs::create_dir_all(ROOT)?;
        fs::create_dir_all(INFO)?;
        for number in 0..devices {
            make_device(&device(number), "server")?;
        }
        let marks = format!("external_ids:vhostuser-network=blue external_ids:vhostuser-owner={ADMINS}");
        let mut command = vec![
            "add-port",
            "br1",
            ADMINS,
            "--",
            "set",
            "Interface",
            ADMINS,
            "type=patch",
            "options:peer=nowhere",
            "--",
        ];
        command.extend(["set", "Port", ADMINS]);
        command.extend(marks.split(' '));
        vsctl(&command)?;
        Ok(Self { before: tables()? })
    }

    /// The switch is exactly as it was before the case, row by row.
    pub(crate) fn untouched(&self) -> Result<()> {
        same(&self.before, &tables()?)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for bridge in ["br1", "br2"] {
            let ports = vsctl(&["list-ports", bridge]).unwrap_or_default();
            for port in ports.lines().filter(|port| !port.starts_with("peer") && *port != NEIGHBOUR) {
                let _ = vsctl(&["--if-exists", "del-port", port]);
            }
        }
        let _ = vsctl(&["--all", "destroy", "QoS"]);
        // Real namespaces are mounts, which stay.
        for sandbox in fs::read_dir(SANDBOXES).into_iter().flatten().flatten() {
            let _ = fs::remove_file(sandbox.path());
        }
        for file in fs::read_dir(DEVICE_INFO).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().starts_with("cni.test-") {
                let _ = fs::remove_file(file.path());
            }
        }
        let _ = fs::remove_dir_all(ROOT);
        let _ = fs::remove_dir_all(INFO).and_then(|()| fs::create_dir(INFO));
    }
}

/// The number's device.
pub(crate) fn device(number: usize) -> String {
    format!("lab-{number}")
}

/// A directory on the host, and what a device plugin writes down.
pub(crate) fn make_device(id: &str, mode: &str) -> Result<()> {
    fs::create_dir_all(device_dir(id))?;
    let path = format!("/var/run/vhostuser/{id}/vhost.sock");
    let info =
        json!({ "type": "vhost-user", "version": "1.1.0", "vhost-user": { "mode": mode, "path": path } });
    fs::write(plugins_file(id), info.to_string()).context("device-info")
}

pub(crate) fn plugins_file(id: &str) -> PathBuf {
    Path::new(DEVICE_INFO).join(format!("cni.test-lab-{id}-device.json"))
}

/// Where device-info of a container's attachment is left for Multus.
pub(crate) fn info_file(container: &str) -> PathBuf {
    Path::new(INFO).join(format!("{container}.json"))
}

/// The device's directory on the host, as the device plugin makes it for each pod.
pub(crate) fn device_dir(id: &str) -> PathBuf {
    Path::new(ROOT).join(id).join("pod")
}

/// The device's socket on the host.
pub(crate) fn socket(id: &str) -> String {
    device_dir(id).join("vhost.sock").display().to_string()
}

/// The device's port.
pub(crate) fn port(id: &str) -> Result<String> {
    Ok(id.parse::<DeviceId>()?.port_name())
}

/// What ADD answers for a container and its device, in CNI 1.1.0 and with nothing asked for.
pub(crate) fn plain_result(container: &str, id: &str) -> Value {
    let netns = format!("/var/run/netns/{container}");
    let interface = json!({ "name": "net1", "sandbox": netns, "socketPath": socket(id) });
    json!({ "cniVersion": "1.1.0", "interfaces": [interface] })
}

/// Everything that is configured in the switch.
pub(crate) fn tables() -> Result<String> {
    let mut command =
        vec!["ovs-vsctl".to_owned(), "--no-wait".into(), "--timeout=10".into(), "--format=csv".into()];
    for (table, columns) in TABLES {
        command.extend(["--".into(), format!("--columns={columns}"), "list".into(), table.into()]);
    }
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    let said = run(seconds(20), &command)?;
    let mut rows: Vec<&str> = said.lines().collect();
    rows.sort_unstable();
    Ok(rows.join("\n"))
}

/// Row by row, with what differs in the error.
pub(crate) fn same(before: &str, now: &str) -> Result<()> {
    let only = |in_this: &str, other: &str| -> Vec<String> {
        in_this.lines().filter(|row| !other.lines().any(|other| other == *row)).map(str::to_owned).collect()
    };
    let (gone, new) = (only(before, now), only(now, before));
    ensure!(before == now, "the switch has changed: gone {gone:#?}, new {new:#?}");
    Ok(())
}

/// The ports of a bridge that were made by the plugin.
pub(crate) fn ours(bridge: &str) -> Result<Vec<String>> {
    let all = vsctl(&["list-ports", bridge])?;
    Ok(all.lines().filter(|port| port.starts_with("vhu")).map(str::to_owned).collect())
}

/// One column of a port's or an interface's row, as ovs-vsctl shows it.
pub(crate) fn column(table: &str, record: &str, column: &str) -> Result<String> {
    let value = vsctl(&["get", table, record, column])?;
    Ok(value.trim().to_owned())
}

/// ovs-vsctl waits for ovs-vswitchd unless told otherwise.
pub(crate) fn vsctl(arguments: &[&str]) -> Result<String> {
    run(seconds(60), &[&["ovs-vsctl"], arguments].concat())
}

pub(crate) fn appctl(arguments: &[&str]) -> Result<String> {
    run(seconds(10), &[&["ovs-appctl", "-t", CONTROL], arguments].concat())
}

/// All at the same time, in processes of their own; the answers in the calls' order.
pub(crate) fn at_once(calls: &[Call], command: &str) -> Result<Vec<Answer>> {
    thread::scope(|scope| {
        let threads: Vec<_> = calls.iter().map(|call| scope.spawn(|| call.run(command))).collect();
        threads.into_iter().map(|thread| thread.join().ok().context("a thread panicked")?).collect()
    })
}
