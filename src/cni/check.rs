//! CHECK: every way in which the attachment is no longer what ADD has made.

use serde_json::Value;

use super::{
    add::{APPLICATION_FILE, Wanted},
    call::Call,
    clock::Clock,
    decide::check_switch,
    environment::Target,
    error::CniError,
    found::Found,
    ipam::Ipam,
    switch::{Ovs, trouble},
};
use crate::{fields::Mistakes, vhostuser::SocketMode};

/// Looks at everything, and changes nothing.
pub(super) fn check(call: &Call<'_>, target: &Target) -> Result<(), CniError> {
    let wanted = Wanted::read(call, target)?;
    let clock = Clock::whole(wanted.network.timeout);
    let mut deviations = wanted.interface().deviations(call.version, earlier_result(call.config)?);
    let mut ovs = Ovs::connect(&wanted.network, clock)?;
    let port = &wanted.port;
    let found = Found::read(&mut ovs, &port.bridge, &port.name, &target.attachment)?;
    deviations.extend(port.deviations(&found));
    deviations.extend(check_switch(&port.bridge, false, &found).err().map(|error| error.to_string()));
    if wanted.nic.application_file && !wanted.device.dir.has(APPLICATION_FILE)? {
        deviations.push(format!("{APPLICATION_FILE} is missing beside {}", wanted.device.socket));
    }
    if found.port.is_some() {
        let in_datapath = ovs.in_datapath(&port.name);
        deviations.extend(trouble(&port.name, found.interface.as_ref(), in_datapath));
    }
    if wanted.device.info.mode == SocketMode::Client && wanted.device.dir.find_socket()?.is_none() {
        deviations.push(format!("the switch's socket is not at {}", wanted.device.socket));
    }
    if !deviations.is_empty() {
        return Err(CniError::Deviations(deviations.join("; ")));
    }
    match Ipam::find(call, &wanted.network)? {
        Some(ipam) => ipam.pass_on("CHECK", &clock),
        None => Ok(()),
    }
}

fn earlier_result(config: &Value) -> Result<&Value, CniError> {
    let result = config.get("prevResult").filter(|result| result.is_object());
    result.ok_or_else(|| {
        let mistakes = Mistakes::default();
        mistakes.add("prevResult", "is missing: CHECK compares with what ADD has answered");
        CniError::Config(mistakes)
    })
}
