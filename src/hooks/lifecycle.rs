//! When this process ends, and why. A sidecar that outlives its VM blocks the VM's next migration; one that ends
//! too early fails its `Shutdown` hook.

use std::{
    io,
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

/// Time between two checks of the launcher's sockets.
const INTERVAL: Duration = Duration::from_secs(1);

/// Grace period in which a second `Shutdown` is still answered.
const LINGER: Duration = Duration::from_millis(200);

/// State shared between the RPC handlers and [`Lifecycle::ended`].
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    called: AtomicBool,
    shutdown: Notify,
}

/// Why the process ends. None of them is a failure; the derive is for `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExitReason {
    /// virt-launcher called `Shutdown`.
    #[error("the VM is gone")]
    Shutdown,
    /// virt-launcher was there and is gone without a `Shutdown`.
    #[error("virt-launcher is gone without a Shutdown")]
    LauncherGone,
    /// A signal before there was anything to serve.
    #[error("received a signal and there is no VM")]
    NothingToServe,
    /// Two signals.
    #[error("received a second signal")]
    SecondSignal,
}

/// SIGTERM and SIGINT, caught from the moment this exists: before the hook socket exists, because from then on a
/// signal must not kill us.
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

    /// The VM is gone. May be repeated.
    pub(super) fn shut_down(&self) {
        self.shutdown.notify_one();
    }

    /// Waits for the end. One SIGTERM is not enough: at pod deletion every container gets it at once, while the guest
    /// may shut down for as long as its grace period.
    pub(super) async fn ended(&self, mut signals: Signals) -> ExitReason {
        let mut watch = Watch::default();
        let mut table = SocketTable::default();
        let mut tick = interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut received = 0_u32;
        loop {
            tokio::select! {
                () = self.shutdown.notified() => {
                    sleep(LINGER).await;
                    return ExitReason::Shutdown;
                }
                () = signals.next() => received += 1,
                _ = tick.tick() => {
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
            info!("received a signal; serving until the VM is gone");
        }
    }
}

/// The sockets of this network namespace, as the kernel lists them.
#[derive(Default)]
struct SocketTable {
    failed: bool,
}

impl SocketTable {
    /// `None` if unreadable; logged once, and not taken as "launcher gone".
    fn read(&mut self) -> Option<String> {
        let table = std::fs::read(SOCKET_TABLE);
        if let Err(error) = &table
            && !std::mem::replace(&mut self.failed, true)
        {
            warn!(%error, "cannot read {SOCKET_TABLE}: a launcher that ends without a Shutdown will not be noticed");
        }
        table.ok().map(|table| String::from_utf8_lossy(&table).into_owned())
    }
}
