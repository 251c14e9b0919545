//! CHECK: every way in which the attachment is no longer what ADD has made.

use serde_json::Value;

use super::{
    asked::Asked,
    call::Call,
    clock::Clock,
    decide::check_switch,
    device,
    environment::Target,
    error::CniError,
    files::APPLICATION_FILE,
    found::Found,
    ipam::{Ipam, given},
    switch::{Ovs, trouble},
};
use node::fields::Mistakes;
use ovs::rows::Port;
use vocabulary::SocketMode;

/// Looks at everything, and changes nothing.
pub(super) fn check(call: &Call<'_>, target: &Target) -> Result<(), CniError> {
    let asked = Asked::parse(call, target, |mistakes| needs_result(call.config, mistakes))?;
    let clock = Clock::whole(call.started, asked.network.timeout);
    let ipam = Ipam::find(call, &asked.network)?;
    let mut ovs = Ovs::connect(&asked.network, clock)?;
    let name = asked.port_name();
    let found = Found::read(&mut ovs, &asked.nic.bridge, &name, &target.attachment)?;

    let mut all = asked.interface().deviations(call.version, &call.config["prevResult"]);
    let mut of_files = Vec::new();
    let mode = files(call, &asked, &mut of_files)?;
    // Where nothing else tells it, the port itself does, and cannot be wrong in that.
    let mode = mode.or(asked.nic.mode).unwrap_or_else(|| found.mode());
    all.extend(asked.port(mode).deviations(&found));
    all.extend(check_switch(&asked.nic.bridge, false, &found).err().map(|error| error.to_string()));
    if let Some(port) = &found.port {
        all.extend(trouble(&name, found.interface.as_ref(), ovs.in_datapath(&name)));
        all.extend(addresses(&asked, &port.port, &call.config["prevResult"]));
    }
    all.extend(of_files);
    if !all.is_empty() {
        return Err(CniError::Deviations(all.join("; ")));
    }
    ipam.map_or(Ok(()), |ipam| ipam.pass_on("CHECK", &clock))
}

fn needs_result(config: &Value, mistakes: &Mistakes) {
    if !config.get("prevResult").is_some_and(Value::is_object) {
        mistakes.add("prevResult", "is missing: CHECK compares with what ADD has answered");
    }
}

/// What is wrong on the node's file systems. Gives the device's mode, if that is certain.
fn files(call: &Call<'_>, asked: &Asked<'_>, all: &mut Vec<String>) -> Result<Option<SocketMode>, CniError> {
    let Asked { network, nic, runtime, socket, .. } = asked;
    let info = or_deviation(device::original(call.plugin_dir, runtime, nic.mode), all)?;
    let dir = or_deviation(device::directory(&network.root, &runtime.device, nic.group), all)?;
    if let (Some(info), Some(file)) = (&info, &runtime.info_file)
        && !device::is_complete(info, Some(file))?
    {
        let (file, id) = (file.display(), &runtime.device);
        all.push(format!(
            "{file}, where Multus looks for device-info, is missing or not that of device {id}"
        ));
    }
    let mode = info.map(|info| info.mode);
    if let Some(dir) = dir {
        if nic.application_file && !dir.has(APPLICATION_FILE)? {
            all.push(format!("{APPLICATION_FILE} is missing beside {socket}"));
        }
        if mode == Some(SocketMode::Client) && dir.find_socket()?.is_none() {
            all.push(format!("the switch's socket is not at {socket}"));
        }
    }
    Ok(mode)
}

/// What is wrong with the device is one finding among others.
fn or_deviation<T>(result: Result<T, CniError>, all: &mut Vec<String>) -> Result<Option<T>, CniError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ CniError::DeviceInfo { .. }) => {
            all.push(error.to_string());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Where the runtime's result and what IPAM gave are not the same.
fn addresses(asked: &Asked<'_>, port: &Port, result: &Value) -> Vec<String> {
    match given(&asked.network, port) {
        Ok(given) => given.unwrap_or_default().deviations(&asked.target.attachment.ifname, result),
        Err(deviation) => vec![deviation],
    }
}
