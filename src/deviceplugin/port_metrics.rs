//! The ports' metrics. Direction is the guest's: what it receives (`rx`) the switch has sent.

use std::{
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
use crate::vhostuser::HostDir;

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

/// Name, help, and OVS's name for the same.
const COUNTERS: [(&str, &str, &str); 8] = [
    ("guest_rx_packets", "Packets that the guest was given.", "tx_packets"),
    ("guest_rx_bytes", "Bytes that the guest was given.", "tx_bytes"),
    ("guest_rx_dropped_packets", "Packets that the guest did not take.", "tx_dropped"),
    ("guest_rx_errors", "Packets for the guest that the switch failed to send.", "tx_errors"),
    ("guest_tx_packets", "Packets that the guest has sent.", "rx_packets"),
    ("guest_tx_bytes", "Bytes that the guest has sent.", "rx_bytes"),
    ("guest_tx_dropped_packets", "Packets of the guest that the switch dropped.", "rx_dropped"),
    ("guest_tx_errors", "Packets of the guest that were in error.", "rx_errors"),
];

/// Name, help and value of a gauge.
type Gauge = (&'static str, &'static str, fn(&Port) -> Option<i64>);

/// Every switch's ports as they were last seen.
#[derive(Debug)]
pub(crate) struct PortMetrics {
    switches: Vec<(String, HostDir)>,
    times: Times,
    /// By switch: its ports; nothing if it could not be asked.
    seen: Mutex<Vec<Option<Vec<Port>>>>,
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
        let ask = |(_, socket): &(String, HostDir)| {
            let socket = socket.clone();
            spawn_blocking(move || ports::read(AsRef::<Path>::as_ref(&socket), deadline))
        };
        let answers: Vec<_> = self.switches.iter().map(ask).collect();
        let mut seen = Vec::with_capacity(answers.len());
        for ((switch, _), answer) in self.switches.iter().zip(answers) {
            let answer = answer.await.map_err(|error| error.to_string());
            seen.push(self.told(
                switch,
                seen.len(),
                answer.and_then(|ports| ports.map_err(|error| error.to_string())),
            ));
        }
        *self.seen() = seen;
        *asked = Some(Instant::now());
    }

    /// Writes down that a switch stopped answering, or answers again.
    fn told(&self, switch: &str, index: usize, answer: Result<Vec<Port>, String>) -> Option<Vec<Port>> {
        let failed_before = matches!(self.seen().get(index), Some(None));
        match answer {
            Ok(ports) => {
                if failed_before {
                    info!(switch, "the ports' metrics are read again");
                }
                Some(ports)
            }
            Err(error) => {
                if !failed_before {
                    warn!(switch, "the ports' metrics cannot be read: {error}");
                }
                None
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Option<Vec<Port>>>> {
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
        let ports: Vec<&Port> = seen.iter().flatten().flatten().collect();
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
        for ((switch, _), ports) in self.switches.iter().zip(&seen) {
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
