//! Each command on a port that is not there, that is there, and that is half there.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::call::{BINARY, Call};
use super::lab::{
    Lab, column, device, device_dir, info_file, ours, plain_result, plugins_file, port, same, socket, tables,
    vsctl,
};
use dataplane::node::Stage;

pub(crate) fn cni_commands_on_nothing(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (call, port) = (Call::new("c1", &device(0)), port(&device(0))?);
    let missing = format!(
        "the attachment is not as it was made: port {port} is missing; …/c1.json, where Multus looks for \
         device-info, is missing or not that of device lab-0"
    );
    call.check(&plain_result("c1", &device(0)))?.refused(105, &missing)?;
    call.del()?.done()?;
    call.gc(&[])?.done()?;
    call.run("STATUS")?.done()?;
    lab.untouched()?;

    let result = call.add()?.result()?;
    ensure!(result == plain_result("c1", &device(0)), "ADD answered {result}");
    ensure!(ours("br1")? == [port.clone()], "ports: {:?}", ours("br1")?);
    let number: u32 = column("Interface", &port, "ofport")?.parse()?;
    ensure!(number > 0, "OpenFlow port {number}");
    ensure!(column("Interface", &port, "type")? == "dpdkvhostuserclient", "another type");
    ensure!(
        column("Interface", &port, "options")? == format!("{{vhost-server-path=\"{}\"}}", socket(&device(0)))
    );
    let marks = "{pod-name=pod-c1, pod-namespace=ns, vhostuser-container-id=c1, vhostuser-device=lab-0, \
                 vhostuser-device-info=\"/var/run/k8s.cni.cncf.io/devinfo/cni/c1.json\", vhostuser-ifname=net1, vhostuser-mode=server, vhostuser-netns=\"/var/run/netns/c1\", vhostuser-network=blue, \
                 vhostuser-owner=network-vhostuser-binding}";
    for table in ["Port", "Interface"] {
        let is = column(table, &port, "external_ids")?;
        ensure!(is == marks, "{table} is marked {is}");
    }
    ensure!(
        fs::read(info_file("c1"))? == fs::read(plugins_file(&device(0)))?,
        "device-info was not completed"
    );
    call.del()?.done()?;
    ensure!(!info_file("c1").exists(), "DEL leaves device-info");
    lab.untouched()
}

pub(crate) fn cni_commands_twice(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0));
    let first = call.add()?.result()?;
    let made = tables()?;
    for _ in 0..2 {
        let again = call.add()?.result()?;
        ensure!(again == first, "ADD answered {first}, then {again}");
        call.check(&first)?.done()?;
        call.gc(&["c1"])?.done()?;
        call.run("STATUS")?.done()?;
        same(&made, &tables()?)?;
    }
    call.del()?.done()?;
    lab.untouched()?;
    call.del()?.done()?;
    call.gc(&[])?.done()?;
    call.gc(&[])?.done()?;
    lab.untouched()
}

/// Each is changed behind the plugin's back, and put right again.
pub(crate) fn cni_check_finds_each_deviation(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0))
        .with("vlan", 100)
        .with("toGuestKbit", 10_000)
        .with("fromGuestKbit", 20_000);
    let call = call.with("mtu", 1600);
    let port = port(&device(0))?;
    let result = call.add()?.result()?;
    call.check(&result)?.done()?;
    let path = format!("options:vhost-server-path={}", socket(&device(0)));
    let wrong_path = format!("options:vhost-server-path is '/nowhere', should be '{}'", socket(&device(0)));
    // Table, wrong, right, and what CHECK says of it.
    let deviations = [
        (
            "Port",
            "tag=7",
            "tag=100",
            "VLANs are access (tag 7, trunks []), should be access (tag 100, trunks [])",
        ),
        ("Interface", "mtu_request=1500", "mtu_request=1600", "mtu_request is 1500, should be 1600"),
        (
            "Interface",
            "ingress_policing_rate=1",
            "ingress_policing_rate=20000",
            "ingress policing is 1 kbit/s (burst 8000 kbit), should be 20000 (burst 8000)",
        ),
        (
            "Interface",
            "ingress_policing_kpkts_rate=5",
            "ingress_policing_kpkts_rate=0",
            "ingress policing is 20000 kbit/s (burst 8000 kbit) and 5 kpackets/s (burst 0 kpackets), should be 20000 (burst \
             8000)",
        ),
        (
            "Interface",
            "external_ids:vhostuser-device=lab-9",
            "external_ids:vhostuser-device=lab-0",
            "interface: external_ids:vhostuser-device is 'lab-9', should be 'lab-0'",
        ),
        ("Interface", "options:vhost-server-path=/nowhere", &path, &wrong_path),
        (
            "Port",
            "external_ids:vhostuser-network=red",
            "external_ids:vhostuser-network=blue",
            "external_ids:vhostuser-network is 'red', should be 'blue'",
        ),
    ];
    for (table, wrong, right, said) in deviations {
        vsctl(&["set", table, &port, wrong])?;
        call.check(&result)?.refused(105, &format!("the attachment is not as it was made: {said}"))?;
        let taken = format!(
            "interface 'net1' of container 'c1' is attached already, and otherwise: {said}; DEL it first"
        );
        call.add()?.refused(100, &taken)?;
        vsctl(&["set", table, &port, right])?;
        call.check(&result)?.done()?;
    }
    let qos = column("Port", &port, "qos")?;
    vsctl(&["clear", "Port", &port, "qos"])?;
    let none = "the attachment is not as it was made: QoS is none, should be egress-policer (cbs=1000000, cir=1250000)";
    call.check(&result)?.refused(105, none)?;
    vsctl(&["set", "Port", &port, &format!("qos={qos}")])?;
    call.check(&result)?.done()?;

    vsctl(&["remove", "QoS", &qos, "external_ids", "vhostuser-owner"])?;
    let unmarked = "the attachment is not as it was made: QoS: external_ids:vhostuser-owner is missing, should be \
                    'network-vhostuser-binding'";
    call.check(&result)?.refused(105, unmarked)?;
    vsctl(&["set", "QoS", &qos, "external_ids:vhostuser-owner=network-vhostuser-binding"])?;
    call.check(&result)?.done()?;

    files_that_are_gone(&call, &result, &port)?;

    let other = json!({ "interfaces": [{ "name": "net1", "sandbox": "/else", "mtu": 1600, "socketPath": socket(&device(0)) }] });
    let said = "the attachment is not as it was made: prevResult's interface has sandbox \"/else\", should be \
                \"/var/run/netns/c1\"";
    call.check(&other)?.refused(105, said)?;
    vsctl(&["del-port", &port])?;
    call.check(&result)?
        .refused(105, &format!("the attachment is not as it was made: port {port} is missing"))?;
    // The limit has lost its port, and is found all the same.
    call.del()?.done()?;
    lab.untouched()
}

/// What is missing on the file system hides nothing that is wrong in the switch.
fn files_that_are_gone(call: &Call, result: &Value, port: &str) -> Result<()> {
    let refused = |call: &Call, what: &str| {
        call.check(result)?.refused(105, &format!("the attachment is not as it was made: {what}"))
    };
    fs::remove_file(info_file("c1"))?;
    let file = info_file("c1").display().to_string();
    let incomplete =
        format!("{file}, where Multus looks for device-info, is missing or not that of device lab-0");
    refused(call, &incomplete)?;
    let written = fs::read_to_string(plugins_file(&device(0)))?;
    fs::write(info_file("c1"), written.replace("/var/run/vhostuser", "/elsewhere"))?;
    refused(call, &incomplete)?;
    fs::remove_file(info_file("c1"))?;
    vsctl(&["set", "Port", port, "tag=7"])?;
    let vlans = "VLANs are access (tag 7, trunks []), should be access (tag 100, trunks [])";
    refused(call, &format!("{vlans}; {incomplete}"))?;
    let (dir, away) = (device_dir(&device(0)), device_dir(&device(0)).with_extension("away"));
    fs::rename(&dir, &away)?;
    let no_dir = format!("device lab-0: {}: does not exist: socketRoot must be …", dir.display());
    refused(call, &format!("{vlans}; {no_dir}; {incomplete}"))?;
    fs::remove_file(plugins_file(&device(0)))?;
    let no_info = "device lab-0: …: no file *-lab-0-device.json describes the device: …";
    refused(call, &format!("{vlans}; {no_info}; {no_dir}"))?;
    fs::write(plugins_file(&device(0)), written)?;
    fs::rename(&away, &dir)?;
    vsctl(&["set", "Port", port, "tag=100"])?;
    // A repeated ADD puts device-info right.
    call.add()?.result()?;
    call.check(result)?.done()
}

/// A port of ours with an option that ADD would not have given it: refused, and taken away by either command.
pub(crate) fn cni_half_done_ports_are_refused_and_removed(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let (call, port) = (Call::new("c1", &device(0)), port(&device(0))?);
    for remove in [Call::del as fn(&Call) -> _, |call| call.gc(&["c2"])] {
        call.add()?.result()?;
        vsctl(&["remove", "Interface", &port, "options", "vhost-server-path"])?;
        let said = format!(
            "interface 'net1' of container 'c1' is attached already, and otherwise: options:vhost-server-path is '', \
             should be '{}'; DEL it first",
            socket(&device(0))
        );
        call.add()?.refused(100, &said)?;
        remove(&call)?.done()?;
        lab.untouched()?;
    }
    call.add()?.result()?;
    call.del()?.done()?;
    lab.untouched()
}

/// Nothing can be started in there: the directories of programs are empty.
pub(crate) fn cni_starts_no_other_program(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let call = Call::new("c1", &device(0)).with("toGuestKbit", 10_000).with("applicationFile", true);
    let alone = |call: &Call, command: &str| {
        let mut program = Command::new("/usr/bin/unshare");
        let hide = "for d in /usr/local /usr/sbin /usr/bin; do /usr/bin/mount -t tmpfs none $d; done";
        program.args(["--mount", "/bin/sh", "-euc", &format!("{hide}; exec {BINARY}")]);
        call.start_in(program, command)?.answer()
    };
    let result = alone(&call, "ADD")?.result()?;
    alone(&call.with("prevResult", result), "CHECK")?.done()?;
    alone(&call, "STATUS")?.done()?;
    alone(&call.with("cni.dev/valid-attachments", json!([{ "containerID": "c1", "ifname": "net1" }])), "GC")?
        .done()?;
    alone(&call, "DEL")?.done()?;
    lab.untouched()
}
