//! The ports' metrics. Direction is the guest's: what it receives (`rx`) the switch has sent.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::text::{Kind, Text};
use crate::{
    config::Config,
    switch::{
        database::{self, InterfaceRow},
        port::State,
    },
};
use ovs::OvsdbError;
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
    ("guest_rx_packets", "Packets delivered to the guest", "tx_packets"),
    ("guest_rx_bytes", "Bytes delivered to the guest", "tx_bytes"),
    ("guest_rx_dropped_packets", "Packets that the guest did not accept", "tx_dropped"),
    ("guest_tx_packets", "Packets sent by the guest", "rx_packets"),
    ("guest_tx_bytes", "Bytes sent by the guest", "rx_bytes"),
    ("guest_tx_dropped_packets", "Packets of the guest dropped by the switch", "rx_dropped"),
];

/// The ports of each OVSDB; nothing if it could not be asked.
type Seen = BTreeMap<HostDir, Option<Vec<InterfaceRow>>>;

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
            let answer = spawn_blocking(move || read(asked.as_ref(), deadline));
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
    fn told(&self, ovsdb: &HostDir, answer: Result<Vec<InterfaceRow>, String>) -> Option<Vec<InterfaceRow>> {
        let failed_before = matches!(self.seen().get(ovsdb), Some(None));
        match answer {
            Ok(ports) => {
                if failed_before {
                    info!(%ovsdb, "reading the ports' metrics again");
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

    pub(super) fn write(&self, text: &mut Text) {
        let seen = self.seen().clone();
        let ports: Vec<&InterfaceRow> = seen.values().flatten().flatten().collect();
        let mut write = |name: &str, kind, help, value: &dyn Fn(&InterfaceRow) -> Option<i64>| {
            text.family(&format!("vhostuser_port_{name}"), kind, help);
            for port in &ports {
                if let Some(value) = value(port) {
                    text.sample(&port.labels(), value);
                }
            }
        };
        for (name, help, column) in COUNTERS {
            let value =
                |port: &InterfaceRow| port.statistics.get(column).copied().filter(|value| *value >= 0);
            write(name, Kind::Counter, help, &value);
        }
        write("mtu_bytes", Kind::Gauge, "The port's MTU", &|port| port.mtu);
        write(
            "queue_pairs",
            Kind::Gauge,
            "Queue pairs that the guest has set up",
            &InterfaceRow::queue_pairs,
        );
        text.family(
            "vhostuser_port_state",
            Kind::Gauge,
            "1 for the state that the port is in, 0 for each other",
        );
        for port in &ports {
            for state in State::ALL {
                let mut labels = port.labels().to_vec();
                labels.push(("state", state.as_str()));
                text.sample(&labels, u8::from(port.state() == state));
            }
        }
        text.family(
            "vhostuser_switch_scrape_error",
            Kind::Gauge,
            "1 for a switch whose ports could not be read",
        );
        for (switch, socket) in &self.switches {
            if let Some(ports) = seen.get(socket) {
                text.sample(&[("switch", switch)], u8::from(ports.is_none()));
            }
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(socket: &Path, deadline: Instant) -> Result<Vec<InterfaceRow>, OvsdbError> {
    let mut ports = database::read(socket, true, deadline)?.interfaces;
    ports.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(ports)
}

#[cfg(test)]
mod tests;
