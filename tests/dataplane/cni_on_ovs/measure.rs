//! How long ADD and DEL take, beside `ovs-vsctl` that makes the same port and waits as it does by default.

use std::fs;
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Deserializer, Value, json};

use super::call::{BINARY, Call};
use super::lab::{Lab, OVSDB, appctl, device, port, socket, tables, vsctl};
use dataplane::node::{Stage, note};
use dataplane::wait::seconds;

/// Of each; p99 is then the longest but one.
const TIMES: usize = 100;

const EXISTING: usize = 1000;

/// Their bridge.
const CROWD: &str = "crowd";

pub(crate) fn measure_cni(_: &mut Stage<'_>) -> Result<()> {
    let lab = Lab::new(1)?;
    let size = usize::try_from(fs::metadata(BINARY)?.len())?;
    note(&format!("plugin: {} KiB", size >> 10));
    note("p50 / p99 in ms       | ADD           | DEL           | add-port      | del-port");
    series("nothing beside it")?;
    let crowd =
        Crowd::new(&|number| json!({ "type": "patch", "options": map("peer", &format!("none-{number}")) }))?;
    series(&format!("{} patch ports", crowd.in_database))?;
    drop(crowd);
    let vhost = |number| map("vhost-server-path", &format!("/run/none-{number}"));
    let crowd = Crowd::new(&|number| json!({ "type": "dpdkvhostuserclient", "options": vhost(number) }))?;
    series(&format!("{} vhost ports", crowd.in_datapath()?))?;
    drop(crowd);
    lab.untouched()
}

/// Both in turn, so that what else the machine does falls on both.
fn series(title: &str) -> Result<()> {
    let (id, container) = (device(0), "c1");
    let call = Call::new(container, &id).with("timeout", 100);
    let name = port(&id)?;
    call.add()?.result()?;
    let marks = vsctl(&["get", "Port", &name, "external_ids"])?.replace(' ', "");
    call.del()?.done()?;
    let (path, marks) =
        (format!("options:vhost-server-path={}", socket(&id)), format!("external_ids={}", marks.trim()));
    let add_port = [
        "add-port",
        "br1",
        &name,
        "--",
        "set",
        "Interface",
        &name,
        "type=dpdkvhostuserclient",
        &path,
        &marks,
        "--",
    ];
    let add_port = [&add_port[..], &["set", "Port", &name, &marks]].concat();

    let mut times: [Vec<Duration>; 4] = Default::default();
    let state = tables()?;
    for _ in 0..TIMES {
        let added = call.add()?;
        added.result()?;
        let deleted = call.del()?;
        deleted.done()?;
        times[0].push(added.took);
        times[1].push(deleted.took);
        times[2].push(timed(&add_port)?);
        times[3].push(timed(&["del-port", &name])?);
    }
    ensure!(tables()? == state, "the series has left something");
    let columns = times.map(|times| format!("{:13}", percentiles(times)));
    note(&format!("{title:21} | {}", columns.join(" | ")));
    Ok(())
}

fn timed(arguments: &[&str]) -> Result<Duration> {
    let started = Instant::now();
    let status = Command::new("ovs-vsctl").args(arguments).status()?;
    ensure!(status.success(), "ovs-vsctl {arguments:?}: {status}");
    Ok(started.elapsed())
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| {
        times[(times.len() * percent).div_ceil(100).saturating_sub(1)].as_secs_f64() * 1000.0
    };
    format!("{:.1} / {:.1}", at(50), at(99))
}

/// Many ports on a bridge of their own, which goes with this value.
struct Crowd {
    in_database: usize,
}

impl Crowd {
    /// Straight into the database, because ovs-vsctl needs minutes for a thousand.
    fn new(interface: &dyn Fn(usize) -> Value) -> Result<Self> {
        vsctl(&["add-br", CROWD, "--", "set", "Bridge", CROWD, "datapath_type=netdev"])?;
        let crowd = Self { in_database: EXISTING };
        let mut operations = vec![json!("Open_vSwitch")];
        for number in 0..EXISTING {
            let mut row = interface(number);
            row["name"] = format!("crowd-{number}").into();
            let port = json!({ "name": row["name"], "interfaces": ["named-uuid", format!("i{number}")] });
            operations.push(json!({ "op": "insert", "table": "Interface", "row": row, "uuid-name": format!("i{number}") }));
            operations.push(
                json!({ "op": "insert", "table": "Port", "row": port, "uuid-name": format!("p{number}") }),
            );
        }
        let ports: Vec<_> = (0..EXISTING).map(|number| json!(["named-uuid", format!("p{number}")])).collect();
        let into = json!(["ports", "insert", ["set", ports]]);
        operations.push(json!({ "op": "mutate", "table": "Bridge", "where": [["name", "==", CROWD]], "mutations": [into] }));
        transact(&operations)?;
        // ovs-vsctl returns when ovs-vswitchd has carried out everything.
        vsctl(&["set", "Bridge", CROWD, "external_ids:complete=yes"])?;
        Ok(crowd)
    }

    fn in_datapath(&self) -> Result<usize> {
        Ok(appctl(&["dpif/show"])?.lines().filter(|line| line.trim_start().starts_with("crowd-")).count())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = vsctl(&["--if-exists", "del-br", CROWD]);
    }
}

fn map(key: &str, value: &str) -> Value {
    json!(["map", [[key, value]]])
}

fn transact(params: &[Value]) -> Result<()> {
    let mut server = UnixStream::connect(OVSDB)?;
    server.set_read_timeout(Some(seconds(30)))?;
    server.write_all(json!({ "method": "transact", "params": params, "id": 0 }).to_string().as_bytes())?;
    let answer = Deserializer::from_reader(BufReader::new(&server)).into_iter::<Value>().next();
    let answer = answer.context("ovsdb-server hung up")??;
    let failed = answer["result"].as_array().into_iter().flatten().find(|result| !result["error"].is_null());
    ensure!(answer["error"].is_null() && failed.is_none(), "{failed:?}, {}", answer["error"]);
    Ok(())
}
