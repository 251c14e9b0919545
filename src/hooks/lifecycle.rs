//! When this process ends, and why. A sidecar that outlives its VM blocks the VM's next migration; one that ends
//! too early fails its `Shutdown` hook.

use std::{
    fmt, io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{info, warn};

use super::launcher::Watch;

/// The sockets of this network namespace.
const SOCKET_TABLE: &str = "/proc/net/unix";

/// Time between two looks at the launcher's sockets.
const LOOK: Duration = Duration::from_secs(1);

/// How long a second `Shutdown` still finds somebody.
const LINGER: Duration = Duration::from_millis(200);

/// What the calls tell the one who waits for the end.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    called: AtomicBool,
    shutdown: Notify,
}

/// Why the process ends. Each is a good end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// virt-launcher said that the VM is gone.
    Shutdown,
    /// virt-launcher was there and is gone without saying so.
    LauncherGone,
    /// Told to end before there was anything to serve.
    NothingToServe,
    /// Told to end twice.
    SecondSignal,
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shutdown => "the VM is gone",
            Self::LauncherGone => "virt-launcher is gone without a Shutdown",
            Self::NothingToServe => "a signal came and there is no VM",
            Self::SecondSignal => "a second signal came",
        })
    }
}

/// SIGTERM and SIGINT, caught from the moment this exists: before the hook socket does, because with it begins what
/// a signal must not end.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Lifecycle {
    /// A hook was called, so there may be a VM.
    pub(super) fn called(&self) {
        self.called.store(true, Ordering::Relaxed);
    }

    /// The VM is gone. Repeating it is harmless.
    pub(super) fn shut_down(&self) {
        self.shutdown.notify_one();
    }

    /// Waits for the end. SIGTERM alone is none: at pod deletion every container gets it at once, while the guest
    /// may shut down for as long as its grace period.
    pub(super) async fn ended(&self, mut signals: Signals) -> ExitReason {
        let mut watch = Watch::default();
        let mut table = SocketTable::default();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut received = 0_u32;
        loop {
            tokio::select! {
                () = self.shutdown.notified() => {
                    sleep(LINGER).await;
                    return ExitReason::Shutdown;
                }
                () = signals.next() => received += 1,
                _ = look.tick() => {
                    if table.read().is_some_and(|table| watch.observe(&table)) {
                        return ExitReason::LauncherGone;
                    }
                    continue;
                }
            }
            if received > 1 {
                return ExitReason::SecondSignal;
            }
            // The table may have changed since the last tick.
            if let Some(table) = table.read() {
                watch.glance(&table);
            }
            if !watch.seen() && !self.called.load(Ordering::Relaxed) {
                return ExitReason::NothingToServe;
            }
            info!("told to end, serving on until the VM is gone");
        }
    }
}

/// The sockets of this network namespace, as the kernel lists them.
#[derive(Default)]
struct SocketTable {
    failed: bool,
}

impl SocketTable {
    /// Nothing if it cannot be read, which is told once and is no sign that anybody is gone.
    fn read(&mut self) -> Option<String> {
        match std::fs::read(SOCKET_TABLE) {
            Ok(table) => Some(String::from_utf8_lossy(&table).into_owned()),
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    warn!(%error, "cannot read {SOCKET_TABLE}: a launcher that goes without a Shutdown is not noticed");
                }
                None
            }
        }
    }
}
