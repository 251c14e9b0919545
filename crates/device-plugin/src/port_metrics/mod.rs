//! The ports' metrics. Direction is the guest's: what it receives (`rx`) the switch has sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::{
    config::Config,
    ports::{self, Port, State},
};
use vocabulary::HostDir;

/// How long things may take and last.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// The most that a scrape waits for OVSDB.
    answer: Duration,
    /// How long an answer is good.
    fresh: Duration,
}

/// OVS itself renews its counters every five seconds.
const TIMES: Times = Times { answer: Duration::from_secs(1), fresh: Duration::from_secs(1) };

/// Name, help, and OVS's name for the same. Of vhost-user ports it keeps no `tx_errors`, and since it asks DPDK for their
/// statistics no `rx_errors`.
const COUNTERS: [(&str, &str, &str); 6] = [
    ("guest_rx_packets", "Packets that the guest was given.", "tx_packets"),
    ("guest_rx_bytes", "Bytes that the guest was given.", "tx_bytes"),
    ("guest_rx_dropped_packets", "Packets that the guest did not take.", "tx_dropped"),
    ("guest_tx_packets", "Packets that the guest has sent.", "rx_packets"),
    ("guest_tx_bytes", "Bytes that the guest has sent.", "rx_bytes"),
    ("guest_tx_dropped_packets", "Packets of the guest that the switch dropped.", "rx_dropped"),
];

/// Name, help and value of a gauge.
type Gauge = (&'static str, &'static str, fn(&Port) -> Option<i64>);

/// The ports of each OVSDB; nothing if it could not be asked.
type Seen = BTreeMap<HostDir, Option<Vec<Port>>>;

/// Every switch's ports as they were last seen.
#[derive(Debug)]
pub(crate) struct PortMetrics {
    /// Name and OVSDB. Several may be bridges of one OVS, whose ports must be told once.
    switches: Vec<(String, HostDir)>,
    times: Times,
    seen: Mutex<Seen>,
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl PortMetrics {
    /// Those of all switches of a configuration. Nothing is asked yet.
    pub(crate) fn new(config: &Config) -> Self {
        let switches = config.switches.iter().map(|switch| (switch.name.clone(), switch.ovsdb.clone()));
        let (seen, asked) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { switches: switches.collect(), times: TIMES, seen, asked }
    }

    /// Asks every switch, unless that was just done. Beside this thread, and for a second at most.
    pub(crate) async fn refresh(&self) {
        // Scrapes at the same time share one answer.
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < self.times.fresh) {
            return;
        }
        let deadline = Instant::now() + self.times.answer;
        let ask = |socket: &HostDir| {
            let asked = socket.clone();
            let answer = spawn_blocking(move || ports::read(AsRef::<Path>::as_ref(&asked), deadline));
            (socket.clone(), answer)
        };
        let sockets: BTreeSet<&HostDir> = self.switches.iter().map(|(_, socket)| socket).collect();
        let answers: Vec<_> = sockets.into_iter().map(ask).collect();
        let mut seen = Seen::new();
        for (socket, answer) in answers {
            let answer = answer.await.map_err(|error| error.to_string());
            let ports = self.told(&socket, answer.and_then(|ports| ports.map_err(|error| error.to_string())));
            seen.insert(socket, ports);
        }
        *self.seen() = seen;
        *asked = Some(Instant::now());
    }

    /// Writes down that a switch stopped answering, or answers again.
    fn told(&self, ovsdb: &HostDir, answer: Result<Vec<Port>, String>) -> Option<Vec<Port>> {
        let failed_before = matches!(self.seen().get(ovsdb), Some(None));
        match answer {
            Ok(ports) => {
                if failed_before {
                    info!(%ovsdb, "the ports' metrics are read again");
                }
                Some(ports)
            }
            Err(error) => {
                if !failed_before {
                    warn!(%ovsdb, "the ports' metrics cannot be read: {error}");
                }
                None
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The labels of a port.
fn labels(port: &Port) -> [(&'static str, &str); 8] {
    [
        ("namespace", &port.namespace),
        ("pod", &port.pod),
        ("nad", &port.nad),
        ("interface", &port.interface),
        ("vm", &port.vm),
        ("bridge", &port.bridge),
        ("port", &port.port),
        ("device", &port.device),
    ]
}

impl Collector for PortMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let seen = self.seen().clone();
        let ports: Vec<&Port> = seen.values().flatten().flatten().collect();
        for (name, help, column) in COUNTERS {
            encode_counter(&mut encoder, &format!("vhostuser_port_{name}"), help, column, &ports)?;
        }
        let gauges: [Gauge; 2] = [
            ("vhostuser_port_mtu_bytes", "The port's MTU.", |port| port.mtu),
            ("vhostuser_port_queue_pairs", "Queue pairs that the guest has set up.", |port| port.queue_pairs),
        ];
        for (name, help, value) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for port in &ports {
                if let Some(value) = value(port) {
                    ConstGauge::new(value).encode(family.encode_family(&labels(port))?)?;
                }
            }
        }
        encode_states(&mut encoder, &ports)?;
        let help = "1 for a switch whose ports could not be read.";
        let mut family =
            encoder.encode_descriptor("vhostuser_switch_scrape_error", help, None, MetricType::Gauge)?;
        for (switch, socket) in &self.switches {
            let Some(ports) = seen.get(socket) else { continue };
            let labels = [("switch", switch.as_str())];
            ConstGauge::new(i64::from(ports.is_none())).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn encode_counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    column: &str,
    ports: &[&Port],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for port in ports {
        let value = port.statistics.get(column).and_then(|value| u64::try_from(*value).ok());
        if let Some(value) = value {
            ConstCounter::new(value).encode(family.encode_family(&labels(port))?)?;
        }
    }
    Ok(())
}

fn encode_states(encoder: &mut DescriptorEncoder<'_>, ports: &[&Port]) -> fmt::Result {
    let help = "1 for the state that the port is in, 0 for each other.";
    let mut family = encoder.encode_descriptor("vhostuser_port_state", help, None, MetricType::Gauge)?;
    for port in ports {
        for state in State::ALL {
            let [namespace, pod, nad, interface, vm, bridge, name, device] = labels(port);
            let labels =
                [namespace, pod, nad, interface, vm, bridge, name, device, ("state", state.as_str())];
            ConstGauge::new(i64::from(port.state == state)).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
