//! Keeps one resource registered: with whichever kubelet is there, under a socket that the kubelet removes whenever
//! it starts. Every turn looks at what there is and does what is due, so no event can be missed.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    register::register,
    server::next,
    socket::{Connections, FileId, PluginSocket, SocketError},
    standing::{Standing, Step},
    streams::Streams,
};
use crate::{
    metrics::Metrics,
    readiness::Readiness,
    resource::{Offer, Resource},
};

/// When there is nothing to wait for but changes.
const NEVER: Duration = Duration::from_secs(3600);

/// One resource and how it stands with the kubelet.
pub(super) struct Registration {
    pub(super) resource: Arc<dyn Resource>,
    /// Our socket.
    pub(super) path: PathBuf,
    /// Its file name, which is what the kubelet is told.
    pub(super) endpoint: String,
    /// The kubelet's socket.
    pub(super) kubelet: PathBuf,
    /// To the server.
    pub(super) connections: Connections,
    pub(super) socket: Option<PluginSocket>,
    pub(super) streams: Streams,
    pub(super) standing: Standing,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    /// The last thing that was told about why it is not registered.
    pub(super) told: Option<String>,
}

impl Registration {
    /// Runs until told to stop, or until something needs a human. `ticks` tells that the kubelet's directory may have
    /// changed.
    pub(super) async fn run(
        mut self,
        mut ticks: watch::Receiver<()>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), SocketError> {
        let mut offers = self.resource.offers();
        let mut changes = self.streams.changes();
        loop {
            self.count(&offers.borrow_and_update());
            let wake = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                wake = self.look() => wake?.unwrap_or_else(|| Instant::now() + NEVER),
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                _ = ticks.changed() => {}
                () = changes.next() => {}
                () = next(&mut offers) => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Does what is due, and tells when something will be due without anything changing.
    async fn look(&mut self) -> Result<Option<Instant>, SocketError> {
        loop {
            if !self.bound().await? {
                return Ok(None);
            }
            let kubelet = FileId::of(&self.kubelet);
            match self.standing.step(Instant::now(), kubelet, self.streams.any_open()) {
                Step::Another => self.streams.begin(),
                Step::Register => self.register().await,
                Step::Wait(until) => {
                    self.tell();
                    return Ok(until);
                }
            }
        }
    }

    /// Makes sure that our socket is there. It is bound anew without a registration: a kubelet that has a stream open
    /// does not look for it, and one that has just started is told by its own socket.
    async fn bound(&mut self) -> Result<bool, SocketError> {
        if self.socket.as_ref().is_some_and(PluginSocket::is_there) {
            return Ok(true);
        }
        self.socket = None;
        match PluginSocket::bind(&self.path, self.connections.clone()).await {
            Ok(socket) => {
                info!(resource = self.resource.name(), socket = %self.path.display(), "socket bound");
                self.socket = Some(socket);
                Ok(true)
            }
            Err(error) if error.may_pass() => {
                self.not_ready(error.to_string());
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn register(&mut self) {
        let name = self.resource.name();
        debug!(resource = name, "registering");
        match register(&self.kubelet, name, &self.endpoint).await {
            Ok(()) => {
                self.standing.registered(Instant::now());
                self.metrics.registered(name);
                info!(resource = name, kubelet = %self.kubelet.display(), "registered");
            }
            Err(error) => {
                self.standing.refused(Instant::now());
                self.metrics.registration_failed(name);
                self.not_ready(format!("not registered: {error}"));
            }
        }
    }

    /// Tells what there is to wait for, unless a failure has told it.
    fn tell(&mut self) {
        if !self.standing.has_kubelet() {
            let kubelet = self.kubelet.display();
            self.not_ready(format!(
                "{kubelet} does not exist: start the kubelet, or name its directory with --kubelet-dir"
            ));
        } else if self.standing.is_registered() && self.streams.any_open() {
            if self.told.take().is_some() {
                info!(resource = self.resource.name(), "the kubelet listens");
            }
            self.readiness.ready(self.resource.name());
        } else if self.standing.is_registered() {
            let reason = "registered, but the kubelet does not listen";
            self.readiness.not_ready(self.resource.name(), reason);
            self.told = Some(reason.to_owned());
        }
    }

    fn not_ready(&mut self, reason: String) {
        if self.told.as_ref() != Some(&reason) {
            warn!(resource = self.resource.name(), "{reason}");
            self.readiness.not_ready(self.resource.name(), reason.clone());
            self.told = Some(reason);
        }
    }

    fn count(&self, offers: &[Offer]) {
        let healthy = offers.iter().filter(|offer| offer.healthy).count();
        self.metrics.devices(self.resource.name(), healthy, offers.len() - healthy);
    }
}
