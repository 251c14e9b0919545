//! ADD: the device's port into the bridge, and device-info to Multus.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    call::Call,
    clock::{Clock, Undo},
    config::{Network, Nic},
    decide::{Decision, decide},
    device::Device,
    environment::Target,
    error::{CniError, Failure},
    files,
    found::{Found, Ours},
    ids,
    ipam::{Addresses, Ipam},
    port::Wish,
    remove::remove,
    result::Interface,
    runtime::Runtime,
    switch::Ovs,
};
use crate::{
    fields::Mistakes,
    ovsdb::rows::NextConfig,
    socketdir::Socket,
    vhostuser::{SOCKET_FILE, SocketMode},
};

/// What a DPDK application reads, beside its socket.
pub(super) const APPLICATION_FILE: &str = "vhostuser.json";

/// How often others may change the same rows between our look and our transaction.
const ATTEMPTS: usize = 3;

/// Between two looks for the switch's socket.
const PAUSE: Duration = Duration::from_millis(20);

/// Everything that ADD and CHECK know before they speak to OVS.
#[derive(Debug)]
pub(super) struct Wanted<'c> {
    pub(super) target: &'c Target,
    pub(super) network: Network,
    pub(super) nic: Nic,
    pub(super) runtime: Runtime,
    pub(super) device: Device,
    pub(super) port: Wish,
}

impl<'c> Wanted<'c> {
    /// Reads and checks it all; changes nothing.
    pub(super) fn read(call: &Call<'_>, target: &'c Target) -> Result<Self, CniError> {
        let (network, nic) = Nic::parse(call.config, call.version)?;
        let runtime = Runtime::parse(call.config, &target.args)?;
        let device = Device::find(call.plugin_dir, &network, &nic, &runtime)?;
        let mode = device.info.mode;
        let marks = ids::marks(&network.name, &target.attachment, mode, &runtime, &target.args);
        let port = Wish::new(&device.id, &nic, mode, device.socket.clone(), marks);
        Ok(Self { target, network, nic, runtime, device, port })
    }

    pub(super) fn interface(&self) -> Interface<'_> {
        Interface::new(self.target, &self.runtime, &self.nic, &self.device)
    }
}

/// What was done, to be undone if a later step fails.
#[derive(Debug, Default)]
struct Done {
    ipam: bool,
    port: bool,
    info_file: bool,
}

struct Adding<'c> {
    wanted: Wanted<'c>,
    ipam: Option<Ipam<'c>>,
    clock: Clock,
}

/// Attaches; a failure leaves nothing behind.
pub(super) fn add(call: &Call<'_>, target: &Target) -> Result<Value, Failure> {
    refuse_chain(call.config)?;
    let wanted = Wanted::read(call, target)?;
    let ipam = Ipam::find(call, &wanted.network)?;
    let (clock, undo) = Clock::forward(wanted.network.timeout);
    let adding = Adding { wanted, ipam, clock };
    let mut done = Done::default();
    match adding.attach(&mut done) {
        Ok(addresses) => {
            let dns = adding.wanted.nic.dns.as_ref();
            Ok(adding.wanted.interface().result(call.version, addresses.as_ref(), dns))
        }
        Err(error) => Err(Failure { error: error.into(), notes: adding.undo(&done, undo) }),
    }
}

/// A result has one interface, so this plugin cannot come after another that has made one.
fn refuse_chain(config: &Value) -> Result<(), CniError> {
    match config.get("prevResult") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => {
            let mistakes = Mistakes::default();
            mistakes
                .add("prevResult", "another plugin comes before this one: put this one first in the list");
            Err(CniError::Config(mistakes))
        }
    }
}

impl Adding<'_> {
    fn attach(&self, done: &mut Done) -> Result<Option<Addresses>, CniError> {
        let Wanted { device, nic, runtime, .. } = &self.wanted;
        // What an earlier port has left must not be taken for this one's.
        let before = device.dir.find_socket()?;
        let mut ovs = Ovs::connect(&self.wanted.network, self.clock)?;
        let (config, addresses) = self.plug(&mut ovs, done)?;
        ovs.port_works(config, &self.wanted.port.name)?;
        if device.info.mode == SocketMode::Client {
            self.wait_for_socket(before.filter(|_| done.port))?;
        }
        if nic.application_file && (done.port || !device.dir.has(APPLICATION_FILE)?) {
            self.write_application_file()?;
        }
        done.info_file = device.complete(runtime.info_file.as_deref())?;
        Ok(addresses)
    }

    /// Makes the port unless it is there. Gives the number that ovs-vswitchd is to reach.
    fn plug(&self, ovs: &mut Ovs, done: &mut Done) -> Result<(i64, Option<Addresses>), CniError> {
        let Wanted { target, port, .. } = &self.wanted;
        let mut addresses = None;
        for _ in 0..ATTEMPTS {
            let found = Found::read(ovs, &port.bridge, &port.name, &target.attachment)?;
            match decide(port, &target.attachment, &found)? {
                Decision::Keep => {
                    // The same ADD beside this one was quicker, and what IPAM has given is its own.
                    done.ipam = false;
                    return Ok(kept(&found));
                }
                Decision::Create { with_bridge } => {
                    if !done.ipam {
                        addresses = self.take_addresses(done)?;
                    }
                    if let Some(config) = self.create(ovs, with_bridge, addresses.as_ref(), done)? {
                        return Ok((config, addresses));
                    }
                }
            }
        }
        Err(CniError::Unsettled(port.name.clone(), ATTEMPTS))
    }

    /// Before the port, so that the port can note what was given.
    fn take_addresses(&self, done: &mut Done) -> Result<Option<Addresses>, CniError> {
        // The specification wants DEL after a failed ADD too.
        done.ipam = self.ipam.is_some();
        self.ipam.as_ref().map(|ipam| ipam.add(&self.clock)).transpose()
    }

    /// Nothing if others have changed something since we looked.
    fn create(
        &self,
        ovs: &mut Ovs,
        with_bridge: bool,
        addresses: Option<&Addresses>,
        done: &mut Done,
    ) -> Result<Option<i64>, CniError> {
        let Wanted { target, port, .. } = &self.wanted;
        let attachment = ids::of_attachment(&target.attachment);
        let creation = port.creation(with_bridge, attachment, addresses.map(Addresses::note));
        // Without an answer it is not known whether it was carried out.
        done.port = true;
        match ovs.ask(creation.operations) {
            Ok(answers) => {
                let config = answers.last().rows::<NextConfig>()?.pop();
                Ok(Some(config.map_or(0, |NextConfig(config)| config)))
            }
            Err(error) => {
                done.port = error.operation().is_none();
                match error.operation() {
                    Some((index, "timed out")) if index < creation.guards => Ok(None),
                    _ => Err(error.into()),
                }
            }
        }
    }

    /// Another than the one that was there before.
    fn wait_for_socket(&self, before: Option<Socket>) -> Result<(), CniError> {
        let Wanted { device, port, .. } = &self.wanted;
        let started = Instant::now();
        let old = before.map(|socket| socket.inode);
        while device.dir.find_socket()?.is_none_or(|socket| Some(socket.inode) == old) {
            if self.clock.left().is_zero() {
                let path = Path::new(device.socket.as_str()).to_owned();
                return Err(CniError::NotPlaced { port: port.name.clone(), path, waited: started.elapsed() });
            }
            thread::sleep(PAUSE.min(self.clock.left()));
        }
        Ok(())
    }

    /// For whoever has the device's directory, and nobody else.
    fn write_application_file(&self) -> Result<(), CniError> {
        let Wanted { device, runtime, .. } = &self.wanted;
        let mac = runtime.mac.map(|mac| mac.to_string()).unwrap_or_default();
        let file = json!({ "vhostname": SOCKET_FILE, "vhostmac": mac, "mode": device.info.mode.as_str() });
        let owner = device.dir.owner()?;
        Ok(device.dir.write_file(APPLICATION_FILE, file.to_string().as_bytes(), owner, 0o640)?)
    }

    /// In the opposite order. What cannot be undone is told beside the error; the runtime's DEL does it again.
    fn undo(&self, done: &Done, undo: Undo) -> Vec<String> {
        let clock = undo.begin();
        let mut notes = Vec::new();
        let mut note = |what: &str, result: Result<(), CniError>| {
            notes.extend(result.err().map(|error| format!("while undoing: {what}: {error}")));
        };
        if let (true, Some(file)) = (done.info_file, &self.wanted.runtime.info_file) {
            note("device-info", files::remove(file));
        }
        if done.port {
            note("port", self.unplug(clock));
        }
        if let (true, Some(ipam)) = (done.ipam, &self.ipam) {
            note("addresses", ipam.pass_on("DEL", &clock));
        }
        notes
    }

    fn unplug(&self, clock: Clock) -> Result<(), CniError> {
        let mut ovs = Ovs::connect(&self.wanted.network, clock)?;
        let ours = Ours::read(&mut ovs, ids::of_attachment(&self.wanted.target.attachment))?;
        remove(&mut ovs, &self.wanted.network.root, &ours).map(drop)
    }
}

/// A repeated ADD answers as the first one did.
fn kept(found: &Found) -> (i64, Option<Addresses>) {
    let config = found.switch.as_ref().map_or(0, |switch| switch.next_cfg);
    let noted = found.port.as_ref().and_then(|port| ids::ipam(&port.port.external_ids));
    (config, noted.and_then(|noted| Addresses::parse(noted.as_bytes())))
}
