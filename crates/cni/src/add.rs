//! ADD: the device's port into the bridge, and device-info to Multus.
//!
//! The device is held from before the first look until the end, so no other call of this plugin comes in between.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    asked::Asked,
    call::Call,
    clock::{Clock, Undo},
    decide::{Decision, decide, otherwise},
    device,
    environment::Target,
    error::{CniError, Failure},
    files::APPLICATION_FILE,
    found::{Found, FoundPort},
    ids::{self, Holder},
    ipam::{Addresses, Ipam, given},
    port::Wish,
    remove::remove,
    runtime::refuse_unallocated,
    switch::Ovs,
};
use node::fields::Mistakes;
use node::socketdir::{DeviceLock, Socket, SocketDir};
use ovs::port::Wanted;
use vocabulary::device_info::DeviceInfo;
use vocabulary::{SOCKET_FILE, SocketMode};

/// How often others may change the same rows between our look and our transaction.
const ATTEMPTS: usize = 3;

/// Between two looks for the switch's socket.
const PAUSE: Duration = Duration::from_millis(20);

/// What was done, to be undone if a later step fails.
#[derive(Debug, Default)]
struct Done {
    ipam: bool,
    port: bool,
    /// What was in the device's directory before the port was made must not be taken for this one's.
    before: Option<Socket>,
    /// Worth a line in the runtime's log.
    notes: Vec<String>,
}

struct Adding<'c> {
    asked: Asked<'c>,
    info: DeviceInfo,
    lock: DeviceLock,
    dir: SocketDir,
    port: Wish,
    ipam: Option<Ipam<'c>>,
    clock: Clock,
}

/// Attaches; a failure leaves nothing behind. Gives the result, and what is worth a line in the runtime's log.
pub(super) fn add(call: &Call<'_>, target: &Target) -> Result<(Value, Vec<String>), Failure> {
    let asked = Asked::parse(call, target, |mistakes| {
        refuse_chain(call.config, mistakes);
        refuse_unallocated(call.config, mistakes);
    })?;
    let info = device::info(call.plugin_dir, &asked.runtime, asked.nic.mode)?;
    let ipam = Ipam::find(call, &asked.network)?;
    let (clock, undo) = Clock::forward(call.started, asked.network.timeout);
    let (root, id) = (&asked.network.root, &asked.runtime.device);
    let (lock, dir) = device::held(root, id, asked.nic.group, clock.end())?;
    let port = asked.port(info.mode);
    let adding = Adding { asked, info, lock, dir, port, ipam, clock };
    let mut done = Done::default();
    match adding.attach(&mut done) {
        Ok(addresses) => {
            let Asked { nic, .. } = &adding.asked;
            let result = adding.asked.interface().result(call.version, addresses.as_ref(), nic.dns.as_ref());
            Ok((result, done.notes))
        }
        Err(error) => Err(Failure { error: error.into(), notes: adding.undo(&done, undo) }),
    }
}

/// A result has one interface, so this plugin cannot come after another that has made one.
fn refuse_chain(config: &Value, mistakes: &Mistakes) {
    if config.get("prevResult").is_some_and(|result| !result.is_null()) {
        mistakes.add("prevResult", "another plugin comes before this one: put this one first in the list");
    }
}

impl Adding<'_> {
    fn attach(&self, done: &mut Done) -> Result<Option<Addresses>, CniError> {
        let Asked { network, nic, runtime, .. } = &self.asked;
        let mut ovs = Ovs::reach(network, self.clock)?;
        let (config, addresses) = self.plug(&mut ovs, done)?;
        ovs.port_works(config, &self.port.name)?;
        if self.info.mode == SocketMode::Client {
            self.wait_for_socket(done.before.take())?;
        }
        if nic.application_file && (done.port || !self.dir.has(APPLICATION_FILE)?) {
            self.write_application_file()?;
        }
        device::complete(&self.info, runtime.info_file.as_deref())?;
        // Last: what is written down is plugged again if the switch loses it.
        self.write_down(addresses.as_ref())?;
        Ok(addresses)
    }

    /// Makes the port unless it is there. Gives the number that ovs-vswitchd is to reach.
    fn plug(&self, ovs: &mut Ovs, done: &mut Done) -> Result<(i64, Option<Addresses>), CniError> {
        let (port, attachment) = (&self.port, &self.asked.target.attachment);
        let mut addresses = None;
        for _ in 0..ATTEMPTS {
            let found = Found::read(ovs, &port.bridge, &port.name, attachment)?;
            match decide(port, attachment, &found)? {
                // A DEL was killed after it had removed the socket: the switch makes none for this port any more.
                Decision::Keep if self.lacks_socket()? => {
                    addresses = Some(kept(&self.asked, &found)?.1);
                    done.notes.extend(self.unplug_found(ovs, &found)?);
                }
                Decision::Keep => {
                    // By whoever holds another lock (another `socketRoot`); what IPAM has given is that one's.
                    done.ipam = false;
                    return kept(&self.asked, &found);
                }
                Decision::TakeOver => self.take_over(ovs, &found, done)?,
                Decision::Create { with_bridge } => {
                    let given = addresses.take().map_or_else(|| self.take_addresses(done), Ok)?;
                    if let Some(config) = self.create(ovs, with_bridge, given.as_ref(), done)? {
                        return Ok((config, given));
                    }
                    addresses = Some(given);
                }
            }
        }
        Err(CniError::Unsettled(port.name.clone(), ATTEMPTS))
    }

    /// Removes the port of a sandbox that is gone. The kubelet has given the device to this pod.
    fn take_over(&self, ovs: &mut Ovs, found: &Found, done: &mut Done) -> Result<(), CniError> {
        if let Some(port) = &found.port {
            let holder =
                Holder::of(&port.port.external_ids).map(|holder| holder.to_string()).unwrap_or_default();
            done.notes
                .push(format!("port {}: taken over from {holder}, whose sandbox is gone", self.port.name));
        }
        done.notes.extend(self.unplug_found(ovs, found)?);
        Ok(())
    }

    fn unplug_found(&self, ovs: &mut Ovs, found: &Found) -> Result<Vec<String>, CniError> {
        self.lock.remove_record()?;
        let ours = found.port.as_ref().map(FoundPort::ours).unwrap_or_default();
        remove(ovs, &self.asked.network.root, &ours)
    }

    fn lacks_socket(&self) -> Result<bool, CniError> {
        Ok(self.info.mode == SocketMode::Client && self.dir.find_socket()?.is_none())
    }

    fn wanted(&self, addresses: Option<&Addresses>) -> Wanted {
        self.port.wanted(self.asked.network.ovsdb.as_ref(), addresses.map(Addresses::note))
    }

    fn write_down(&self, addresses: Option<&Addresses>) -> Result<(), CniError> {
        let record = json!(self.wanted(addresses)).to_string();
        match self.lock.record()?.is_some_and(|written| written == record.as_bytes()) {
            true => Ok(()),
            false => Ok(self.lock.write_record(record.as_bytes())?),
        }
    }

    /// Before the port, so that the port can note what was given.
    fn take_addresses(&self, done: &mut Done) -> Result<Option<Addresses>, CniError> {
        // The specification wants DEL after a failed ADD too.
        done.ipam = self.ipam.is_some();
        self.ipam.as_ref().map(|ipam| ipam.add(&self.clock)).transpose()
    }

    /// `None` if others have changed something since we looked.
    fn create(
        &self,
        ovs: &mut Ovs,
        with_bridge: bool,
        addresses: Option<&Addresses>,
        done: &mut Done,
    ) -> Result<Option<i64>, CniError> {
        // Of a port that was lost with its database, or of an older release.
        self.lock.remove_record()?;
        done.before = self.dir.find_socket()?;
        let made = ovs.plug(&self.wanted(addresses), with_bridge);
        // Without an answer it is not known whether it was carried out.
        done.port = match &made {
            Ok(made) => made.is_some(),
            Err(error) => error.operation().is_none(),
        };
        Ok(made?)
    }

    /// Another than the one that was there before.
    fn wait_for_socket(&self, before: Option<Socket>) -> Result<(), CniError> {
        let started = Instant::now();
        let old = before.map(|socket| socket.inode);
        while self.dir.find_socket()?.is_none_or(|socket| Some(socket.inode) == old) {
            if self.clock.left().is_zero() {
                let path = Path::new(self.asked.socket.as_str()).to_owned();
                let (port, waited) = (self.port.name.clone(), started.elapsed());
                return Err(CniError::NotPlaced { port, path, waited });
            }
            thread::sleep(PAUSE.min(self.clock.left()));
        }
        Ok(())
    }

    /// For whoever has the device's directory, and nobody else.
    fn write_application_file(&self) -> Result<(), CniError> {
        let mac = self.asked.runtime.mac.map(|mac| mac.to_string()).unwrap_or_default();
        let file = json!({ "vhostname": SOCKET_FILE, "vhostmac": mac, "mode": self.info.mode.as_str() });
        let owner = self.dir.owner()?;
        Ok(self.dir.write_file(APPLICATION_FILE, file.to_string().as_bytes(), owner, 0o640)?)
    }

    /// In the opposite order; device-info goes with the port. What cannot be undone is reported beside the error; the
    /// runtime's DEL does it again.
    fn undo(&self, done: &Done, undo: Undo) -> Vec<String> {
        let clock = undo.begin();
        let failed = |what: &str, error: &CniError| format!("while undoing: {what}: {error}");
        let mut notes = Vec::new();
        if done.port {
            match self.unplug(clock) {
                Ok(more) => notes.extend(more),
                // An address is free only when nothing sends from it any more: DEL or GC sees to both.
                Err(error) => return vec![failed("port", &error)],
            }
        }
        if let (true, Some(ipam)) = (done.ipam, &self.ipam) {
            notes.extend(ipam.pass_on("DEL", &clock).err().map(|error| failed("addresses", &error)));
        }
        notes
    }

    fn unplug(&self, clock: Clock) -> Result<Vec<String>, CniError> {
        let Asked { network, target, .. } = &self.asked;
        let mut ovs = Ovs::reach(network, clock)?;
        let ours = ovs.ours(&ids::of_attachment(&target.attachment))?;
        remove(&mut ovs, &network.root, &ours)
    }
}

/// A repeated ADD answers as the first one did, or says why it cannot.
fn kept(asked: &Asked<'_>, found: &Found) -> Result<(i64, Option<Addresses>), CniError> {
    let config = found.switch.as_ref().map_or(0, |switch| switch.next_cfg);
    let given = found.port.as_ref().map_or(Ok(None), |port| given(&asked.network, &port.port));
    Ok((config, given.map_err(|problem| otherwise(&asked.target.attachment, &problem))?))
}
