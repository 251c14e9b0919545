//! The dashboard, asked of the real Prometheus as Grafana does.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use dataplane::agent::{Grants, METRICS};
use dataplane::application::Application;
use dataplane::device::Device;
use dataplane::http;
use dataplane::multus;
use dataplane::node::{Stage, note};
use dataplane::process::run;
use dataplane::prometheus::Prometheus;
use dataplane::sandbox::Sandbox;
use dataplane::vm::Nic;
use dataplane::wait::{seconds, until};

/// Launcher pods, for their VMs' names; of one the guest is there, of the other not.
const CONNECTED: &str = "virt-launcher-connected-x7k2p";
const WAITING: &str = "virt-launcher-waiting-x7k2p";

/// The panels of what passes. Grafana's own interval is four scrapes at least, and OVS counts every five seconds.
const RATE_INTERVAL: &str = "15s";

pub(crate) fn every_panel_of_the_dashboard_shows_something(stage: &mut Stage<'_>) -> Result<()> {
    let agent = &stage.node.agent;
    let nic = Nic { application_file: true, ..Nic::new("blue") };
    let _guest = Application::start(CONNECTED, &nic, agent, &stage.logs)?;
    let nics = [Nic::beside("blue")];
    let grants = Grants::admit(agent, WAITING, &multus::resources(&nics))?;
    let ids = multus::device_ids(&nics, &grants)?;
    let sandbox = Sandbox::new(WAITING)?;
    let mut device = Device::new(&nics[0], ids.first().context("one device")?, &grants)?;
    device.plug(&sandbox)?;

    let prometheus = Prometheus::start(&stage.logs)?;
    let passes =
        format!("min({{__name__=~'vhostuser_port_guest_(rx|tx)_bytes_total',pod='{CONNECTED}'}}) > 500");
    let rises =
        format!("rate(vhostuser_port_guest_tx_bytes_total{{pod='{CONNECTED}'}}[{RATE_INTERVAL}]) > 0");
    let some = |expression: &str| prometheus.query(expression).is_ok_and(|series| !series.is_empty());
    until("Prometheus to see packets pass", seconds(40), || {
        stage.node.peer1.ping(nic.address, 56).is_ok() && some(&passes) && some(&rises)
    })?;

    let dashboard: Value = serde_json::from_str(include_str!("../../../dashboards/vhostuser.json"))?;
    check_variables(&prometheus, &dashboard)?;
    let panels = dashboard["panels"].as_array().context("a dashboard has panels")?;
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let targets: Vec<_> = targets.collect();
    for target in &targets {
        // "All", and what Grafana makes of two that were chosen.
        for (namespace, vm) in [(".*", ".*"), ("default", "(connected|waiting)")] {
            check_target(&prometheus, target, namespace, vm)?;
        }
    }
    note(&format!("{} queries of {} panels", targets.len(), panels.len()));
    let complaints = prometheus.complaints()?;
    ensure!(complaints.is_empty(), "Prometheus complains:\n{complaints}");
    promtool_finds_no_fault(&http::get(METRICS, "/metrics")?)
}

fn check_target(prometheus: &Prometheus, target: &Value, namespace: &str, vm: &str) -> Result<()> {
    let text = |key: &str| target[key].as_str().with_context(|| format!("{key} of {target}"));
    let expression = text("expr")?.replace("$__rate_interval", RATE_INTERVAL);
    let expression = expression.replace("$namespace", namespace).replace("$vm", vm);
    ensure!(!expression.contains('$'), "a variable that nobody has set: {expression}");
    let series = prometheus.query(&expression)?;
    ensure!(!series.is_empty(), "nothing to show: {expression}");
    // A table has a column for each label.
    let labels = match text("legendFormat")? {
        "" => between(&expression, "by (", ")").flat_map(|labels| labels.split(", ")).collect::<Vec<_>>(),
        legend => between(legend, "{{", "}}").collect(),
    };
    ensure!(!labels.is_empty(), "nothing tells the series apart: {target}");
    let shown: BTreeSet<Vec<Option<&str>>> =
        series.iter().map(|one| labels.iter().map(|label| one.label(label)).collect()).collect();
    ensure!(!shown.iter().flatten().any(Option::is_none), "{labels:?} are not all labels of {series:?}");
    ensure!(shown.len() == series.len(), "series with one and the same name: {series:?}");
    ensure!(series.iter().all(|one| one.value.is_finite()), "{expression} is {series:?}");
    Ok(())
}

/// The lists from which people choose.
fn check_variables(prometheus: &Prometheus, dashboard: &Value) -> Result<()> {
    for (name, expected) in [("namespace", &["default"][..]), ("vm", &["connected", "waiting"])] {
        let variables = dashboard["templating"]["list"].as_array().context("variables")?;
        let variable = variables.iter().find(|one| one["name"] == name).with_context(|| name.to_owned())?;
        let query = variable["query"].as_str().context("a query")?.replace("$namespace", ".*");
        let inside = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (selector, label) =
            inside.and_then(|inside| inside.rsplit_once(", ")).context("label_values(…, …)")?;
        let values = prometheus.label_values(selector, label)?;
        ensure!(values == expected, "{query} are {values:?}, not {expected:?}");
    }
    Ok(())
}

/// It reads only the format before OpenMetrics: there a counter's whole name is described, and there is no type `info`.
fn promtool_finds_no_fault(page: &str) -> Result<()> {
    let mut older = String::new();
    let (counters, infos) = (of_type(page, " counter"), of_type(page, " info"));
    for line in page.lines().filter(|line| *line != "# EOF") {
        let name = line.split(' ').nth(2).filter(|_| line.starts_with("# ")).unwrap_or_default();
        let suffix = match name {
            _ if counters.contains(name) => "_total",
            _ if infos.contains(name) => "_info",
            _ => "",
        };
        let line = line.replacen(&format!(" {name} "), &format!(" {name}{suffix} "), 1);
        older.push_str(
            line.strip_suffix(" info").map(|line| format!("{line} gauge")).as_deref().unwrap_or(&line),
        );
        older.push('\n');
    }
    fs::write("/run/metrics", older)?;
    run(seconds(60), &["sh", "-euc", "promtool check metrics < /run/metrics; rm /run/metrics"]).map(drop)
}

fn of_type<'a>(page: &'a str, kind: &str) -> BTreeSet<&'a str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(kind)).collect()
}

/// Each text between the two.
fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
}
