//! When this process ends, and why. A sidecar that outlives its VM blocks the VM's next migration; one that ends
//! too early fails its `Shutdown` hook.

use std::{
    fmt, io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
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
pub(super) struct Life {
    called: AtomicBool,
    shutdown: Notify,
}

/// Why the process ends. Each is a good end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// virt-launcher said that the VM is gone.
    Shutdown,
    /// virt-launcher was there and is gone without saying so.
    LauncherGone,
    /// Told to end before there was anything to serve.
    NothingToServe,
    /// Told to end twice.
    SecondSignal,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shutdown => "the VM is gone",
            Self::LauncherGone => "virt-launcher is gone without a Shutdown",
            Self::NothingToServe => "a signal came and there is no VM",
            Self::SecondSignal => "a second signal came",
        })
    }
}

impl Life {
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
    pub(super) async fn ended(&self) -> io::Result<Ended> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut watch = Watch::default();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut signals = 0_u32;
        loop {
            tokio::select! {
                () = self.shutdown.notified() => {
                    sleep(LINGER).await;
                    return Ok(Ended::Shutdown);
                }
                _ = terminate.recv() => signals += 1,
                _ = interrupt.recv() => signals += 1,
                _ = look.tick() => {
                    if look_for_launcher(&mut watch) {
                        return Ok(Ended::LauncherGone);
                    }
                    continue;
                }
            }
            if signals > 1 {
                return Ok(Ended::SecondSignal);
            }
            // The table may have changed since the last tick.
            look_for_launcher(&mut watch);
            if !watch.seen() && !self.called.load(Ordering::Relaxed) {
                return Ok(Ended::NothingToServe);
            }
            info!("told to end, serving on until the VM is gone");
        }
    }
}

fn look_for_launcher(watch: &mut Watch) -> bool {
    match std::fs::read(Path::new(SOCKET_TABLE)) {
        Ok(table) => watch.observe(&String::from_utf8_lossy(&table)),
        Err(error) => {
            warn!(%error, "cannot read {SOCKET_TABLE}, so a launcher that goes without a Shutdown is not noticed");
            false
        }
    }
}
