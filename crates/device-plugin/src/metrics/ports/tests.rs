use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::{metrics::Metrics, switch::port::tests::answer};
use ovs_sim as stub;

/// Names and labels are what dashboards and alerts are made of.
const ALL: &str = r#"# HELP vhostuser_port_guest_rx_packets Packets delivered to the guest.
# TYPE vhostuser_port_guest_rx_packets counter
vhostuser_port_guest_rx_packets_total{A} 5
# HELP vhostuser_port_guest_rx_bytes Bytes delivered to the guest.
# TYPE vhostuser_port_guest_rx_bytes counter
vhostuser_port_guest_rx_bytes_total{A} 6
# HELP vhostuser_port_guest_rx_dropped_packets Packets that the guest did not accept.
# TYPE vhostuser_port_guest_rx_dropped_packets counter
vhostuser_port_guest_rx_dropped_packets_total{A} 7
# HELP vhostuser_port_guest_tx_packets Packets sent by the guest.
# TYPE vhostuser_port_guest_tx_packets counter
vhostuser_port_guest_tx_packets_total{A} 1
vhostuser_port_guest_tx_packets_total{B} 0
# HELP vhostuser_port_guest_tx_bytes Bytes sent by the guest.
# TYPE vhostuser_port_guest_tx_bytes counter
vhostuser_port_guest_tx_bytes_total{A} 2
# HELP vhostuser_port_guest_tx_dropped_packets Packets of the guest dropped by the switch.
# TYPE vhostuser_port_guest_tx_dropped_packets counter
vhostuser_port_guest_tx_dropped_packets_total{A} 3
# HELP vhostuser_port_mtu_bytes The port's MTU.
# TYPE vhostuser_port_mtu_bytes gauge
vhostuser_port_mtu_bytes{A} 9000
# HELP vhostuser_port_queue_pairs Queue pairs that the guest has set up.
# TYPE vhostuser_port_queue_pairs gauge
vhostuser_port_queue_pairs{A} 3
# HELP vhostuser_port_state 1 for the state that the port is in, 0 for each other.
# TYPE vhostuser_port_state gauge
vhostuser_port_state{A,state="connected"} 1
vhostuser_port_state{A,state="waiting_for_guest"} 0
vhostuser_port_state{A,state="link_down"} 0
vhostuser_port_state{A,state="failed"} 0
vhostuser_port_state{B,state="connected"} 0
vhostuser_port_state{B,state="waiting_for_guest"} 1
vhostuser_port_state{B,state="link_down"} 0
vhostuser_port_state{B,state="failed"} 0
# HELP vhostuser_switch_scrape_error 1 for a switch whose ports could not be read.
# TYPE vhostuser_switch_scrape_error gauge
vhostuser_switch_scrape_error{switch="ovs"} 0
vhostuser_switch_scrape_error{switch="gone"} 1
"#;

const A: &str = r#"namespace="ns",pod="virt-launcher-my-vm-x7k2p",nad="blue",interface="net1",vm="my-vm",bridge="br1",port="vhua",device="s-0""#;
const B: &str =
    r#"namespace="ns",pod="dpdk",nad="blue",interface="net1",vm="",bridge="br1",port="vhub",device="s-1""#;

/// Time enough for what must succeed.
const PATIENT: Times = Times { answer: Duration::from_secs(20), fresh: Duration::from_secs(3600) };

fn metrics(switches: &[(&str, &Path)], times: Times) -> Metrics {
    let switches = switches.iter().map(|(name, socket)| {
        let yaml = format!("{{name: {name}, ovsdb: '{}', bridge: br1}}", socket.display());
        yaml + ", "
    });
    let yaml =
        format!("{{domain: a.b, dataplane: {{name: x}}, switches: [{}]}}", switches.collect::<String>());
    let ports = PortMetrics::new(&Config::parse(&yaml).unwrap());
    Metrics::new(Some(PortMetrics { times, ..ports }))
}

fn scrape(metrics: &Metrics) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(metrics.fresh_text())
}

/// Everything that `/metrics` has.
fn full_text() -> String {
    let dir = tempfile::tempdir().unwrap();
    let socket = stub::answer(dir.path(), vec![answer()]);
    let metrics = metrics(&[("ovs", &socket), ("gone", &dir.path().join("none"))], PATIENT);
    metrics.resource("a/b");
    metrics.switch_up("ovs", true);
    scrape(&metrics)
}

#[test]
fn the_text_is_frozen() {
    let text = full_text();
    let ports = &text[text.find("# HELP vhostuser_port_guest_rx_packets ").unwrap()..];
    let ports: String = ports
        .lines()
        .take_while(|line| !line.contains("device_plugin") && *line != "# EOF")
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(ports, ALL.replace("{A", &format!("{{{A}")).replace("{B", &format!("{{{B}")));
}

/// Prometheus takes a series once in a scrape. The stub answers one connection only.
#[test]
fn the_ports_of_one_ovs_with_several_bridges_are_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let socket = stub::answer(dir.path(), vec![answer()]);
    let text = scrape(&metrics(&[("ovs", &socket), ("more", &socket)], PATIENT));
    let series = text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0));
    let mut series: Vec<_> = series.filter(|line| !line.starts_with('#')).collect();
    series.sort_unstable();
    let all = series.len();
    series.dedup();
    assert_eq!(series.len(), all, "{text}");
    for switch in ["ovs", "more"] {
        let line = format!("vhostuser_switch_scrape_error{{switch=\"{switch}\"}} 0\n");
        assert!(text.contains(&line), "{text}");
    }
}

/// A switch that is dead costs a second, and nothing else.
#[test]
fn a_switch_that_hangs_breaks_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let socket = stub::serve(dir.path(), |_socket| std::thread::sleep(Duration::from_secs(3600)));
    let metrics = metrics(&[("ovs", &socket)], TIMES);
    metrics.resource("a/b");
    let text = scrape(&metrics);
    assert!(text.contains("vhostuser_switch_scrape_error{switch=\"ovs\"} 1\n"), "{text}");
    assert!(text.contains("vhostuser_device_plugin_devices_allocated{resource=\"a/b\"} 0\n"), "{text}");
    assert!(!text.contains("vhostuser_port_state{"), "{text}");
}

/// The stub answers one connection only.
#[test]
fn an_answer_is_good_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let socket = stub::answer(dir.path(), vec![answer()]);
    let lasting = metrics(&[("ovs", &socket)], PATIENT);
    let first = scrape(&lasting);
    assert!(first.contains("vhostuser_switch_scrape_error{switch=\"ovs\"} 0\n"), "{first}");
    assert_eq!(scrape(&lasting), first);

    std::fs::remove_file(&socket).unwrap();
    let socket = stub::answer(dir.path(), vec![answer()]);
    let brief = metrics(&[("ovs", &socket)], Times { fresh: Duration::ZERO, ..PATIENT });
    assert_eq!(scrape(&brief), first);
    assert!(scrape(&brief).contains("vhostuser_switch_scrape_error{switch=\"ovs\"} 1\n"));
}

/// The labels of each metric of the text.
fn exported() -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in full_text().lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once('{').unwrap_or((line.split(' ').next().unwrap(), ""));
        let keys = labels.split(',').filter_map(|label| label.split_once('=')).map(|(key, _)| key.to_owned());
        all.entry(name.to_owned()).or_default().extend(keys);
    }
    all
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// Whatever a query or a legend calls a label: in `{…}` and `by (…)`, and in `{{…}}`.
fn labels_of(text: &str) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    for part in text.split("by (").skip(1) {
        labels.extend(words(part.split(')').next().unwrap()).map(str::to_owned));
    }
    for part in text.split('{').skip(1).filter_map(|part| part.split('}').next()) {
        let matchers = part.split(',').map(|matcher| matcher.split(['=', '!']).next().unwrap().trim());
        labels.extend(matchers.filter(|label| !label.is_empty()).map(str::to_owned));
    }
    labels
}

/// Every text in the dashboard that Grafana asks Prometheus with, or shows an answer's labels with.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if ["expr", "query", "legendFormat", "definition"].contains(&key.as_str()) => {
                        found.push(text.to_owned());
                    }
                    _ => texts(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let exported = exported();
    let every_label: BTreeSet<String> = exported.values().flatten().cloned().collect();
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../../../dashboards/vhostuser.json")).unwrap();
    let mut found = Vec::new();
    texts(&dashboard, &mut found);
    let mut asked = BTreeSet::new();
    for text in found.iter().filter(|text| *text != "prometheus") {
        let names: Vec<_> = words(text).filter(|word| word.starts_with("vhostuser_")).collect();
        let mut known = every_label.clone();
        for name in names {
            known.retain(|label| exported.get(name).is_some_and(|labels| labels.contains(label)));
            assert!(exported.contains_key(name), "{name} is not exported: {text}");
            asked.insert(name.to_owned());
        }
        let strange: Vec<_> = labels_of(text).into_iter().filter(|label| !known.contains(label)).collect();
        assert!(strange.is_empty(), "{strange:?} are no labels there: {text}");
    }
    let unseen: Vec<_> =
        exported.keys().filter(|name| name.starts_with("vhostuser_port") && !asked.contains(*name)).collect();
    assert!(unseen.is_empty(), "not in the dashboard: {unseen:?}");
}

/// docs/metrics.md has exactly the metrics that there are, with exactly their labels.
#[test]
fn every_metric_is_documented() {
    let page = include_str!("../../../../../docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `vhostuser_"));
    let documented: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let (name, rest) = row.split_once('`').unwrap();
            let labels = rest.split('|').nth(1).unwrap();
            let labels = labels.replace("the port's", PORT);
            (format!("vhostuser_{name}"), words(&labels).map(str::to_owned).collect())
        })
        .collect();
    let mut exported = exported();
    exported.retain(|name, _| name.starts_with("vhostuser_"));
    // Counters without a label have none before they count.
    assert_eq!(documented, exported);
}

/// What docs/metrics.md calls "the port's".
const PORT: &str = "namespace pod nad interface vm bridge port device";

#[test]
fn labels_are_found_where_they_are() {
    let labels = |text| labels_of(text).into_iter().collect::<Vec<_>>();
    assert_eq!(labels(r#"sum by (a, b) (rate(x{c="1",d=~"2",e!="3"}[5m]))"#), ["a", "b", "c", "d", "e"]);
    assert_eq!(labels("{{vm}} {{interface}}"), ["interface", "vm"]);
    assert_eq!(labels("x"), [""; 0]);
}
