//! Talking to OVS: questions, waiting for ovs-vswitchd, and what it says of a port.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::{clock::Clock, config::Network, error::CniError};
use ovs::{
    Answers, Client, DATABASE, Obstacle, OvsdbError, control, judge,
    operation::{Condition, Operation},
    ours::{self, Ours},
    port::{self, Wanted},
    rows::{Interface, select},
    value::Datum,
};
use vocabulary::Quoted;

/// The time that ovsdb-server has to report that a wait was in vain, before the connection itself is given up.
const SPARE: Duration = Duration::from_millis(200);

/// Between two attempts to reach ovsdb-server.
const RETRY: Duration = Duration::from_millis(100);

/// The most that ovs-vswitchd may take to say what its datapath has.
const CONTROL: Duration = Duration::from_secs(2);

/// A connection to OVSDB.
#[derive(Debug)]
pub struct Ovs {
    client: Client,
    clock: Clock,
    run_dir: PathBuf,
}

impl Ovs {
    /// Connects.
    pub fn connect(network: &Network, clock: Clock) -> Result<Self, OvsdbError> {
        let client = Client::connect(network.ovsdb.as_ref(), clock.answer())?;
        Ok(Self { client, clock, run_dir: network.ovsdb.run_dir().to_owned() })
    }

    /// Connects; a socket that is missing or refuses is tried again until the time is over, because ovsdb-server may be
    /// restarting, and a failed ADD or DEL costs the pod far longer than that.
    pub fn reach(network: &Network, clock: Clock) -> Result<Self, OvsdbError> {
        loop {
            match Self::connect(network, clock) {
                Err(OvsdbError::Missing(_) | OvsdbError::Refused(_)) if clock.left() > RETRY => {
                    thread::sleep(RETRY);
                }
                result => return result,
            }
        }
    }

    /// Carries out a transaction that ovsdb-server can answer at once.
    pub fn ask(&mut self, operations: Vec<Operation>) -> Result<Answers, OvsdbError> {
        self.client.set_deadline(self.clock.answer());
        self.client.ask(DATABASE, operations)
    }

    /// Makes a port; see [`port::plug`].
    pub fn plug(&mut self, wanted: &Wanted, with_bridge: bool) -> Result<Option<i64>, OvsdbError> {
        self.client.set_deadline(self.clock.answer());
        port::plug(&mut self.client, wanted, with_bridge)
    }

    /// What carries these marks.
    pub fn ours(&mut self, marks: &Datum) -> Result<Ours, OvsdbError> {
        self.client.set_deadline(self.clock.answer());
        Ours::read(&mut self.client, marks)
    }

    /// Removes it; see [`ours::unplug`].
    pub fn unplug(&mut self, ours: &Ours) -> Result<i64, OvsdbError> {
        self.client.set_deadline(self.clock.answer());
        ours::unplug(&mut self.client, ours)
    }

    /// Waits until ovs-vswitchd has come as far as `config`, and reads an interface then; `None` if it has not.
    pub fn carried_out(
        &mut self,
        config: i64,
        interface: &str,
        at_most: Duration,
    ) -> Result<Option<Option<Interface>>, OvsdbError> {
        let timeout = at_most.min(self.clock.left().saturating_sub(SPARE));
        self.client.set_deadline(Instant::now() + timeout + SPARE);
        let behind = [Condition::less("cur_cfg", config)];
        let operations = vec![
            Operation::wait("Open_vSwitch", &behind, "cur_cfg", Vec::new(), timeout),
            select::<Interface>(&[Condition::is("name", interface)]),
        ];
        match self.client.ask(DATABASE, operations) {
            Ok(mut answers) => {
                answers.skip();
                Ok(Some(answers.rows()?.pop()))
            }
            Err(error) if error.operation() == Some((0, "timed out")) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until ovs-vswitchd has made the port, and hears what it says of it.
    pub fn port_works(&mut self, config: i64, port: &str) -> Result<(), CniError> {
        let started = Instant::now();
        let Some(interface) = self.carried_out(config, port, Duration::MAX)? else {
            return Err(CniError::NotTakenUp { port: port.to_owned(), waited: started.elapsed() });
        };
        let in_datapath = self.in_datapath(port);
        match trouble(port, interface.as_ref(), in_datapath) {
            Some(trouble) => Err(CniError::PortFailed(trouble)),
            None => Ok(()),
        }
    }

    /// Whether the datapath has the port; `None` if ovs-vswitchd cannot be asked here.
    pub fn in_datapath(&self, port: &str) -> Option<bool> {
        let socket = control::vswitchd(&self.run_dir)?;
        let deadline = Instant::now() + CONTROL.min(self.clock.left());
        let answer = control::ask(&socket, "dpif/show", &[], deadline).ok()?;
        Some(control::has_port(&answer, port))
    }

    /// Whether ovs-vswitchd is alive.
    pub fn vswitchd(&mut self) -> Result<Result<(), Obstacle>, OvsdbError> {
        let deadline = Instant::now() + CONTROL.min(self.clock.left());
        judge::vswitchd(&mut self.client, &self.run_dir, deadline)
    }

    /// The time that is left for all.
    pub fn left(&self) -> Duration {
        self.clock.left()
    }
}

/// What OVS says is wrong with a port. The database alone is not enough: a port may be `connected` and without an
/// error there, and still not be in the datapath.
pub fn trouble(port: &str, interface: Option<&Interface>, in_datapath: Option<bool>) -> Option<String> {
    let Some(interface) = interface else {
        return Some(format!("port {port} has vanished from OVSDB: somebody else removed it"));
    };
    if let Some(error) = &interface.error {
        let remedy = "correct what it names, and look at ovs-vswitchd's log";
        return Some(format!("OVS could not make port {port}: {}: {remedy}", Quoted(error)));
    }
    match interface.ofport {
        Some(number) if number >= 0 => {}
        number => {
            let number =
                number.map_or("no OpenFlow port".to_owned(), |number| format!("OpenFlow port {number}"));
            return Some(format!(
                "OVS could not make port {port}: it has {number}: look at ovs-vswitchd's log"
            ));
        }
    }
    (in_datapath == Some(false)).then(|| {
        format!(
            "port {port} is in OVSDB without an error, but not in OVS's datapath (ovs-appctl dpif/show): most often DPDK \
             has too few hugepages for its MTU, or its ring mempool driver is not installed: look at ovs-vswitchd's log"
        )
    })
}
