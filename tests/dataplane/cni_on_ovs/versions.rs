//! The versions of the specification: which commands each has, and the form of its results.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::call::Call;
use super::lab::{Lab, device, socket};
use dataplane::node::Stage;

/// Of a NIC with everything that a result can tell.
fn interface(version: &str) -> Value {
    let mut interface = json!({ "name": "net1", "sandbox": "/var/run/netns/c1", "mac": "02:00:00:00:00:0a" });
    if version >= "1.0.0" {
        interface["mtu"] = 1600.into();
    }
    if version >= "1.1.0" {
        interface["socketPath"] = socket(&device(0)).into();
    }
    interface
}

pub(crate) fn cni_results_have_the_form_of_their_version(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call =
        Call::new("c1", &device(0)).with("mtu", 1600).with("dns", json!({ "nameservers": ["192.0.2.53"] }));
    let call = call.with("runtimeConfig", json!({ "mac": "02:00:00:00:00:0a" }));
    for version in ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        let call = call.with("cniVersion", version);
        let result = call.add()?.result()?;
        let should = json!({
            "cniVersion": version, "interfaces": [interface(version)], "dns": { "nameservers": ["192.0.2.53"] },
        });
        ensure!(result == should, "ADD answered {result}, should be {should}");
        let too_old = |command: &str, least: &str| {
            format!("{command} needs cniVersion {least} or later, the configuration has {version}")
        };
        match version {
            "0.3.1" => call.check(&result)?.refused(1, &too_old("CHECK", "0.4.0"))?,
            _ => call.check(&result)?.done()?,
        }
        if version < "1.1.0" {
            call.gc(&["c1"])?.refused(1, &too_old("GC", "1.1.0"))?;
            call.run("STATUS")?.refused(1, &too_old("STATUS", "1.1.0"))?;
        } else {
            call.gc(&["c1"])?.done()?;
            call.run("STATUS")?.done()?;
        }
        let versions = call.run("VERSION")?.result()?;
        let all = json!({ "cniVersion": version, "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] });
        ensure!(versions == all, "VERSION answered {versions}");
        call.with("bridge", "nobr").del()?.done()?;
        lab.untouched()?;
    }
    Ok(())
}

pub(crate) fn cni_calls_that_cannot_be_are_refused(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0));
    let supported = "only 0.3.1, 0.4.0, 1.0.0, 1.1.0";
    call.with("cniVersion", "2.0.0")
        .add()?
        .refused(1, &format!("cniVersion '2.0.0' is not supported, {supported}"))?;
    call.with("brigde", "br1")
        .add()?
        .refused(2, "network configuration: not known: 'brigde' with value '\"br1\"'; …")?;
    let two = "network configuration: mtu: '1' must be …; vlan: '4095' must be a whole number from 0 to 4094";
    call.with("vlan", 4095).with("mtu", 1).add()?.refused(7, two)?;
    let no_device = call.with("deviceID", "").with("pciBusID", "");
    no_device.add()?.refused(101, "no device was given …k8s.v1.cni.cncf.io/resourceName…")?;
    let unknown = "device nobodys-0: …: no file *-nobodys-0-device.json describes the device: …";
    call.with("deviceID", "nobodys-0").add()?.refused(102, unknown)?;
    call.variable("CNI_CONTAINERID", "../x")
        .add()?
        .refused(4, "environment: CNI_CONTAINERID: '../x' is no container id")?;
    let known = "'PLUG' is not known, only ADD, DEL, CHECK, GC, STATUS and VERSION";
    call.run("PLUG")?.refused(4, &format!("environment: CNI_COMMAND: {known}"))?;
    let chained = "network configuration: prevResult: another plugin comes before this one: put this one first in the list";
    call.with("prevResult", json!({})).add()?.refused(7, chained)?;
    lab.untouched()
}
