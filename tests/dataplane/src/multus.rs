//! What Multus does between the kubelet and the CNI plugin, and KubeVirt between Multus and the pod.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vocabulary::NetworkName;

use crate::agent::{DEVICE_INFO, Grants};
use crate::cni::{Call, configuration};
use crate::node::note;
use crate::sandbox::Sandbox;
use crate::vm::Nic;

/// Where Multus has device-info for, and of, CNI plugins.
pub const CNI_DEVICE_INFO: &str = "/var/run/k8s.cni.cncf.io/devinfo/cni";

/// What the NADs of these NICs make a pod ask for, by resource.
pub fn resources(nics: &[Nic]) -> Vec<(String, usize)> {
    let mut counts = BTreeMap::new();
    nics.iter().for_each(|nic| *counts.entry(nic.resource().to_owned()).or_default() += 1);
    counts.into_iter().collect()
}

/// The device of each NIC: for each resource a cursor goes through the ids that the pod was given, in the order of the
/// attachments.
pub fn device_ids(nics: &[Nic], grants: &Grants) -> Result<Vec<String>> {
    let mut cursors = BTreeMap::new();
    for given in &grants.allocations {
        cursors.insert(given.resource.as_str(), given.ids.iter());
    }
    let next = |nic: &Nic| {
        let id = cursors.get_mut(nic.resource()).and_then(Iterator::next);
        id.cloned().with_context(|| format!("no device of {} is left for {}", nic.resource(), nic.name))
    };
    nics.iter().map(next).collect()
}

/// The device plugin's file, by the name that the device-info specification gives it.
fn plugin_file(resource: &str, id: &str) -> PathBuf {
    Path::new(DEVICE_INFO).join(format!("{}-{id}-device.json", resource.replace('/', "-")))
}

pub fn device_info(resource: &str, id: &str) -> Result<Value> {
    read(&plugin_file(resource, id))
}

fn read(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

/// An attachment that a CNI plugin has made; whoever does not detach it has it detached in the end, as a runtime does
/// for a pod that did not come to be.
pub struct Attachment {
    call: Call,
    attached: bool,
    network: String,
    info_file: PathBuf,
    result: Value,
}

impl Attachment {
    /// Hands device-info and device id to the CNI plugin, and calls ADD.
    pub fn add(sandbox: &Sandbox, nic: &Nic, id: &str) -> Result<Self> {
        let network: NetworkName = nic.name.parse()?;
        // KubeVirt asks Multus for an interface of this name.
        let ifname = network.pod_interface();
        let info_file =
            Path::new(CNI_DEVICE_INFO).join(format!("default-{}-{}_{ifname}", nic.name, sandbox.id));
        fs::create_dir_all(CNI_DEVICE_INFO)?;
        fs::copy(plugin_file(nic.resource(), id), &info_file)?;
        let mut config = configuration(&nic.name, nic.bridge);
        if let Some(mtu) = nic.mtu {
            config["mtu"] = mtu.into();
        }
        if nic.application_file {
            config["applicationFile"] = true.into();
        }
        for key in ["deviceID", "pciBusID"] {
            config[key] = id.into();
        }
        config["runtimeConfig"] = json!({"CNIDeviceInfoFile": info_file, "deviceID": id, "mac": nic.mac});
        let (container, pod) = (sandbox.id.clone(), sandbox.pod.clone());
        let call = Call { container, netns: sandbox.network().display().to_string(), ifname, pod, config };
        let mut attachment =
            Self { call, attached: true, network: nic.name.clone(), info_file, result: Value::Null };
        attachment.result = attachment.call.add()?;
        Ok(attachment)
    }

    /// ADD once more, which answers the same.
    pub fn repeat(&self) -> Result<()> {
        let result = self.call.add()?;
        ensure!(result == self.result, "a repeated ADD answers {result}, the first one {}", self.result);
        Ok(())
    }

    /// The element of `k8s.v1.cni.cncf.io/network-status`.
    fn status(&self) -> Result<Value> {
        let interfaces = self.result["interfaces"].as_array().context("a result has interfaces")?;
        let in_pod = |one: &&Value| one["sandbox"].as_str().is_some_and(|sandbox| !sandbox.is_empty());
        let own: Vec<_> = interfaces.iter().filter(in_pod).collect();
        ensure!(own.len() == 1, "a result with {} interfaces in the pod: {}", own.len(), self.result);
        let name = format!("default/{}", self.network);
        let (interface, mac, mtu) = (&own[0]["name"], &own[0]["mac"], &own[0]["mtu"]);
        let info = read(&self.info_file)?;
        Ok(json!({"name": name, "interface": interface, "mac": mac, "mtu": mtu, "device-info": info}))
    }

    /// CNI's CHECK.
    pub fn check(&self) -> Result<()> {
        self.call.check(&self.result)
    }

    /// DEL, after which nothing of the attachment may be left.
    pub fn del(mut self) -> Result<()> {
        self.attached = false;
        self.call.del()?;
        let file = self.info_file.display();
        ensure!(!self.info_file.exists(), "DEL has left {file}");
        Ok(())
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.attached
            && let Err(error) = self.call.del()
        {
            note(&format!("{error:#}"));
        }
    }
}

/// KubeVirt's annotation `kubevirt.io/network-info`: of each network the status whose interface has the name that
/// KubeVirt has asked for.
pub fn network_info<'a>(attachments: impl Iterator<Item = &'a Attachment>) -> Result<String> {
    let mut interfaces = Vec::new();
    for attachment in attachments {
        let status = attachment.status()?;
        let network: NetworkName = attachment.network.parse()?;
        if status["interface"] == network.pod_interface() {
            let mut entry = json!({"network": attachment.network, "deviceInfo": status["device-info"]});
            for key in ["mac", "mtu"] {
                if !status[key].is_null() {
                    entry[key] = status[key].clone();
                }
            }
            interfaces.push(entry);
        }
    }
    Ok(if interfaces.is_empty() { String::new() } else { json!({"interfaces": interfaces}).to_string() })
}
