//! A guest on a port of its own that speaks to the switch all the time.
//!
//! DPDK has one thread for all vhost-user sockets. A port that goes waits for this thread's next turn, which comes with
//! the next message of anybody, and else after a second (DPDK 24.11.8). Without a neighbour each DEL would take that long.

use std::fs::remove_file;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use anyhow::Result;

use super::lab::vsctl;
use dataplane::switch::LISTENING_SOCKETS;
use dataplane::wait::seconds;

pub(crate) const NEIGHBOUR: &str = "neighbour";

const PAUSE: Duration = Duration::from_millis(10);

/// VHOST_USER_GET_FEATURES of protocol version 1, without a payload.
const GET_FEATURES: [u32; 3] = [1, 1, 0];

/// The same header, and a word of 64 bits.
const FEATURES: usize = 12 + 8;

/// The guest and its port; both go with this value.
pub(crate) struct Neighbour {
    ended: Arc<AtomicBool>,
    speaking: Option<JoinHandle<()>>,
}

impl Neighbour {
    pub(crate) fn new() -> Result<Self> {
        vsctl(&["add-port", "br2", NEIGHBOUR, "--", "set", "Interface", NEIGHBOUR, "type=dpdkvhostuser"])?;
        let ended = Arc::new(AtomicBool::new(false));
        let speaking = Some(spawn({
            let ended = Arc::clone(&ended);
            move || {
                while !ended.load(Ordering::SeqCst) {
                    // The switch is away now and then.
                    let _ = speak(&ended);
                    sleep(PAUSE);
                }
            }
        }));
        Ok(Self { ended, speaking })
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        if let Some(speaking) = self.speaking.take() {
            let _ = speaking.join();
        }
        let _ = vsctl(&["--if-exists", "del-port", NEIGHBOUR]);
    }
}

fn speak(ended: &AtomicBool) -> Result<()> {
    let path = Path::new(LISTENING_SOCKETS).join(NEIGHBOUR);
    let mut socket = UnixStream::connect(&path).inspect_err(|error| {
        // A killed switch leaves it. DPDK would not bind over it, and by its failing close a file of somebody else's: the
        // bridge's own device then, and OVS dies of an assertion (OVS 3.5, DPDK 24.11).
        if error.kind() == ErrorKind::ConnectionRefused {
            let _ = remove_file(&path);
        }
    })?;
    socket.set_read_timeout(Some(seconds(1)))?;
    while !ended.load(Ordering::SeqCst) {
        socket.write_all(&GET_FEATURES.map(u32::to_ne_bytes).concat())?;
        socket.read_exact(&mut [0; FEATURES])?;
        sleep(PAUSE);
    }
    Ok(())
}
