//! Keeps one resource registered with the kubelet. Once a second it looks at the kubelet's directory and does what is
//! due, so no event can be missed: a new inode of `kubelet.sock` is a new kubelet, and a kubelet that starts removes
//! our socket.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

use super::{
    channel::{self, CallError},
    proto::plugin::{RegisterRequest, registration_client::RegistrationClient},
    schedule::{Schedule, Step, Timing},
    server::{next, options},
    socket::{Connections, FileId, PluginSocket, SocketError},
    streams::Streams,
};
use crate::{
    metrics::Metrics,
    readiness::Readiness,
    resource::{Offer, Resource},
};

/// The kubelet's socket in its directory.
pub(super) const KUBELET_SOCKET: &str = "kubelet.sock";

const VERSION: &str = "v1beta1";

/// How long one registration may take. The kubelet answers after it has connected to us and asked for our options.
const LIMIT: Duration = Duration::from_secs(10);

/// One resource and the state of its registration.
pub(super) struct Registration {
    pub(super) resource: Arc<dyn Resource>,
    /// Our socket, which the kubelet finds by its file name.
    pub(super) path: PathBuf,
    /// The kubelet's socket.
    pub(super) kubelet: PathBuf,
    /// To the server.
    pub(super) connections: Connections,
    pub(super) socket: Option<PluginSocket>,
    pub(super) streams: Streams,
    pub(super) timing: Timing,
    pub(super) schedule: Schedule,
    pub(super) metrics: Metrics,
    pub(super) readiness: Readiness,
    /// The last reported reason for not being registered.
    pub(super) reported: Option<String>,
}

impl Registration {
    /// Runs until `stop`, or until something needs a human.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), SocketError> {
        let mut offers = self.resource.offers();
        let mut looks = interval(self.timing.look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.count(&offers.borrow_and_update());
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                looked = self.look() => looked?,
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                _ = looks.tick() => {}
                () = self.streams.changed() => {}
                () = next(&mut offers) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), SocketError> {
        if !self.bound().await? {
            return Ok(());
        }
        if self.schedule.is_another(FileId::of(&self.kubelet)) {
            self.streams.end_all();
        }
        match self.schedule.step(Instant::now(), self.streams.any_open()) {
            Step::Register => self.register().await,
            Step::Wait => {}
            Step::NoKubelet => self.not_ready(format!(
                "{} does not exist: start the kubelet, or pass its directory with --kubelet-dir",
                self.kubelet.display()
            )),
            Step::Silent => {
                let reason = "registered, but the kubelet does not listen";
                self.readiness.not_ready(self.resource.name(), reason);
                self.reported = Some(reason.to_owned());
            }
            Step::Listening => {
                if self.reported.take().is_some() {
                    info!(resource = self.resource.name(), "the kubelet listens");
                }
                self.readiness.ready(self.resource.name());
            }
        }
        Ok(())
    }

    /// Makes sure that our socket is there. It is bound again without a registration: a kubelet that has a stream open
    /// does not look for it, and one that has just started is noticed by its own socket.
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
        match self.call().await {
            Ok(()) => {
                self.schedule.accepted(Instant::now());
                self.metrics.registered(name);
                info!(resource = name, kubelet = %self.kubelet.display(), "registered");
            }
            Err(error) => {
                self.schedule.failed(Instant::now());
                self.metrics.registration_failed(name);
                self.not_ready(format!("not registered: {error}"));
            }
        }
    }

    async fn call(&self) -> Result<(), CallError> {
        let request = RegisterRequest {
            version: VERSION.to_owned(),
            endpoint: self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            resource_name: self.resource.name().to_owned(),
            options: Some(options()),
        };
        channel::call(&self.kubelet, LIMIT, async |channel| {
            RegistrationClient::new(channel).register(request).await.map(drop)
        })
        .await
    }

    fn not_ready(&mut self, reason: String) {
        if self.reported.as_ref() != Some(&reason) {
            warn!(resource = self.resource.name(), "{reason}");
            self.readiness.not_ready(self.resource.name(), reason.clone());
            self.reported = Some(reason);
        }
    }

    fn count(&self, offers: &[Offer]) {
        let healthy = offers.iter().filter(|offer| offer.healthy).count();
        self.metrics.devices(self.resource.name(), healthy, offers.len() - healthy);
    }
}
