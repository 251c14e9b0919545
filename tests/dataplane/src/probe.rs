//! How long nothing answered: echo requests on a fixed schedule, and when their answers came.
//!
//! Not ping: its pace slows down while nothing answers, which makes an outage look shorter.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto, recv, sendto, socket};

use crate::network::{Peer, inside};
use crate::wait::{seconds, until};

const SPACING: Duration = Duration::from_millis(10);
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;

/// Tells the answers of one probe from late ones of the probe before it.
static NEXT_IDENT: AtomicU16 = AtomicU16::new(1);

/// What was found while a probe ran.
#[derive(Debug)]
pub struct Silence {
    /// Longest time between two answers.
    pub gap: Duration,
    /// Requests that were never answered.
    pub lost: usize,
}

/// A running probe.
pub struct Probe {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    socket: OwnedFd,
    target: Ipv4Addr,
    ident: u16,
    stop: AtomicBool,
    sent: AtomicUsize,
    /// Sequence number and time of each answer.
    answers: Mutex<Vec<(u16, Instant)>>,
}

impl Probe {
    /// Starts, and returns once the guest has answered steadily.
    pub fn start(peer: &Peer, target: Ipv4Addr) -> Result<Self> {
        let socket = inside(&peer.namespace(), || {
            let socket = socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP))?;
            set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_millis(100)))?;
            Ok(socket)
        })?;
        let shared = Arc::new(Shared {
            socket,
            target,
            ident: NEXT_IDENT.fetch_add(1, Ordering::Relaxed),
            stop: AtomicBool::new(false),
            sent: AtomicUsize::new(0),
            answers: Mutex::default(),
        });
        let (sender, receiver) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![thread::spawn(move || sender.send()), thread::spawn(move || receiver.receive())];
        let probe = Self { shared, threads };
        probe.more_answers(30, seconds(60))?;
        Ok(probe)
    }

    fn answers(&self) -> usize {
        self.shared.answers.lock().map_or(0, |answers| answers.len())
    }

    /// Waits until the guest has answered `count` more times.
    pub fn more_answers(&self, count: usize, limit: Duration) -> Result<()> {
        let wanted = self.answers() + count;
        until("the guest to answer the probes", limit, || self.answers() >= wanted)
    }

    /// Waits for steady answers, then stops and evaluates.
    pub fn finish(mut self, limit: Duration) -> Result<Silence> {
        self.more_answers(50, limit)?;
        self.stop();
        let answers = self.shared.answers.lock().map_err(|_| anyhow!("the receiver panicked"))?;
        Ok(evaluate(&answers))
    }

    fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn send(&self) {
        let to = SocketAddrV4::new(self.target, 0);
        let mut due = Instant::now();
        while !self.stopped() {
            let sequence = (self.sent.fetch_add(1, Ordering::Relaxed) & 0xffff) as u16;
            // An error (no ARP answer while the guest is away) is a lost packet, no more.
            let _ = sendto(&self.socket, &echo_request(self.ident, sequence), SendFlags::empty(), &to);
            due += SPACING;
            sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn receive(&self) {
        let mut packet = [0; 256];
        while !self.stopped() {
            let Ok((length, _)) = recv(&self.socket, &mut packet[..], RecvFlags::empty()) else {
                continue;
            };
            if let Some(sequence) = echo_reply(&packet[..length], self.ident)
                && let Ok(mut answers) = self.answers.lock()
            {
                answers.push((sequence, Instant::now()));
            }
        }
    }
}

fn echo_request(ident: u16, sequence: u16) -> Vec<u8> {
    let words = [u16::from(ECHO_REQUEST) << 8, 0, ident, sequence];
    let sum: u32 = words.iter().map(|word| u32::from(*word)).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !(((folded & 0xffff) + (folded >> 16)) as u16);
    [words[0], checksum, ident, sequence].iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The sequence number of an answer to one of ours; `packet` starts with the IP header.
fn echo_reply(packet: &[u8], ident: u16) -> Option<u16> {
    let icmp = packet.get(usize::from(packet.first()? & 0xf) * 4..)?;
    let word = |at: usize| Some(u16::from_be_bytes([*icmp.get(at)?, *icmp.get(at + 1)?]));
    (icmp.first() == Some(&ECHO_REPLY) && word(4)? == ident).then(|| word(6)).flatten()
}

fn evaluate(answers: &[(u16, Instant)]) -> Silence {
    let gap = answers.windows(2).map(|pair| pair[1].1.duration_since(pair[0].1)).max().unwrap_or_default();
    let numbers: std::collections::BTreeSet<u16> = answers.iter().map(|(sequence, _)| *sequence).collect();
    let expected = match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => usize::from(last - first) + 1,
        _ => 0,
    };
    Silence { gap, lost: expected - numbers.len() }
}

/// The bound that noise allows. Not the figure to expect: see the documentation's tables.
pub fn assert_shorter(silence: &Silence, limit: Duration) -> Result<()> {
    ensure!(silence.gap < limit, "nothing answered for {} ms", silence.gap.as_millis());
    Ok(())
}
