//! VLANs, MTU and limits: as asked for in the database, taken up by the switch, and gone with the port.

use anyhow::{Result, ensure};
use serde_json::json;

use super::call::Call;
use super::lab::{Lab, appctl, column, device, port, vsctl};
use dataplane::node::{Stage, note};

fn expect(table: &str, columns: &[(&str, &str)]) -> Result<()> {
    for (name, should) in columns {
        let is = column(table, &port(&device(0))?, name)?;
        ensure!(is == *should, "{table} {name} is {is}, should be {should}");
    }
    Ok(())
}

pub(crate) fn cni_vlans_and_mtu_are_as_asked(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0));
    let ports = [
        (call.clone(), [("vlan_mode", "[]"), ("tag", "[]"), ("trunks", "[]")]),
        (call.with("vlan", 100), [("vlan_mode", "access"), ("tag", "100"), ("trunks", "[]")]),
        (
            call.with("trunk", json!([10, "20-22"])),
            [("vlan_mode", "trunk"), ("tag", "[]"), ("trunks", "[10, 20, 21, 22]")],
        ),
        (
            call.with("trunk", json!([10])).with("nativeVlan", 5),
            [("vlan_mode", "native-untagged"), ("tag", "5"), ("trunks", "[10]")],
        ),
    ];
    for (call, columns) in ports {
        let result = call.add()?.result()?;
        expect("Port", &columns)?;
        expect("Interface", &[("mtu_request", "[]"), ("ingress_policing_rate", "0")])?;
        call.check(&result)?.done()?;
        call.del()?.done()?;
        lab.untouched()?;
    }
    let call = call.with("mtu", 9000).with("runtimeConfig", json!({ "mac": "02:00:00:00:00:0a" }));
    let result = call.add()?.result()?;
    let interface = &result["interfaces"][0];
    ensure!(interface["mtu"] == 9000 && interface["mac"] == "02:00:00:00:00:0a", "ADD answered {result}");
    expect("Interface", &[("mtu_request", "9000")])?;
    expect("Port", &[("external_ids:attached-mac", "\"02:00:00:00:00:0a\"")])?;
    call.check(&result)?.done()?;
    call.del()?.done()?;
    lab.untouched()
}

pub(crate) fn cni_limits_are_as_asked_and_go_with_the_port(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let name = port(&device(0))?;
    let limits = Call::new("c1", &device(0)).with("toGuestKbit", 10_000).with("toGuestBurstKbit", 80);
    let limits = limits.with("fromGuestKbit", 20_000).with("fromGuestBurstKbit", 100);
    let result = limits.add()?.result()?;
    expect("Interface", &[("ingress_policing_rate", "20000"), ("ingress_policing_burst", "100")])?;
    let qos = column("Port", &name, "qos")?;
    ensure!(vsctl(&["get", "QoS", &qos, "type"])?.trim() == "egress-policer", "another QoS");
    let config = vsctl(&["get", "QoS", &qos, "other_config"])?;
    ensure!(config.trim() == r#"{cbs="10000", cir="1250000"}"#, "the QoS is {config}");
    let shown = appctl(&["qos/show", &name])?;
    ensure!(shown.contains("egress-policer") && shown.contains("cir: 1250000"), "the datapath has {shown}");
    note(&shown.split_whitespace().collect::<Vec<_>>().join(" "));
    limits.check(&result)?.done()?;

    // A limit that the administrator has given to a port of his own as well stays with that one.
    vsctl(&["set", "Port", "admins", &format!("qos={qos}")])?;
    limits.del()?.done()?;
    ensure!(column("Port", "admins", "qos")? == qos, "somebody else's port has lost its limit");
    vsctl(&["clear", "Port", "admins", "qos"])?;
    limits.del()?.done()?;
    for table in ["QoS", "Queue"] {
        let rows = vsctl(&["--columns=_uuid", "list", table])?;
        ensure!(rows.trim().is_empty(), "{table} rows are left: {rows}");
    }
    lab.untouched()
}
