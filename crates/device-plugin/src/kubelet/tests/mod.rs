//! Against the kubelet stand-in, over real sockets.

mod calls;
mod coming_and_going;
mod sockets;
use kubelet_sim as standin;
mod who_has_what;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use standin::Kubelet;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    schedule::Timing,
    serve::{KubeletError, Plugin},
};
use crate::{
    metrics::Metrics,
    readiness::Readiness,
    resource::{AllocateError, DirMount, Grant, Offer, Resource},
};

/// The most that one test may take.
const TEST: Duration = Duration::from_secs(40);

/// The most that anything may take on a busy machine, where the test is not about it.
const PATIENCE: Duration = Duration::from_secs(20);

/// So short that a test need not wait, and long enough to be told apart.
const TIMING: Timing = Timing {
    look: Duration::from_millis(5),
    first: Duration::from_millis(10),
    last: Duration::from_millis(40),
    silence: Duration::from_millis(400),
};

const NAME: &str = "example.org/a";

/// Runs a test with a deadline.
async fn limited(test: impl Future<Output = ()>) {
    timeout(TEST, test).await.expect("the test ends in time");
}

/// Polls until the condition holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "still not: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

fn offer(id: &str, healthy: bool) -> Offer {
    Offer { id: id.to_owned(), healthy, numa_node: None }
}

fn mount(id: &str) -> DirMount {
    DirMount { host: format!("/h/{id}"), container: format!("/c/{id}"), read_only: false }
}

/// A resource that writes down what it is asked.
struct Stub {
    name: String,
    offers: watch::Sender<Vec<Offer>>,
    allocated: Mutex<Vec<Vec<String>>>,
    /// Fails for this id.
    broken: Mutex<Option<String>>,
}

impl Stub {
    fn new(name: &str, count: usize) -> Arc<Self> {
        let last = name.rsplit('/').next().unwrap();
        let offers = (0..count).map(|n| offer(&format!("{last}-{n}"), true)).collect();
        Arc::new(Self {
            name: name.to_owned(),
            offers: watch::Sender::new(offers),
            allocated: Mutex::default(),
            broken: Mutex::default(),
        })
    }

    fn allocated(&self) -> Vec<Vec<String>> {
        self.allocated.lock().unwrap().clone()
    }
}

impl Resource for Stub {
    fn name(&self) -> &str {
        &self.name
    }

    fn offers(&self) -> watch::Receiver<Vec<Offer>> {
        self.offers.subscribe()
    }

    fn allocate(&self, ids: &[String]) -> Result<Grant, AllocateError> {
        if let Some(broken) = self.broken.lock().unwrap().as_ref().filter(|broken| ids.contains(broken)) {
            return Err(AllocateError::Failed(format!("device {broken} is broken")));
        }
        // They come in random order.
        let ids: Vec<String> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        self.allocated.lock().unwrap().push(ids.clone());
        let mounts = ids.iter().map(|id| mount(id));
        Ok(Grant { mounts: mounts.collect(), envs: vec![("IDS".to_owned(), ids.join(","))] })
    }

    /// The last ones first, so that no default looks like it.
    fn prefer(&self, available: &[String], must: &[String], size: usize) -> Vec<String> {
        let mut rest: Vec<_> = available.iter().filter(|id| !must.contains(id)).cloned().collect();
        rest.sort_unstable_by(|a, b| b.cmp(a));
        must.iter().cloned().chain(rest).take(size).collect()
    }
}

/// A plugin that runs.
struct Running {
    metrics: Metrics,
    readiness: Readiness,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), KubeletError>>,
}

impl Running {
    fn start(dir: &Path, resources: Vec<Arc<dyn Resource>>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (metrics, readiness) = (Metrics::new(None), Readiness::new());
        let plugin = Plugin {
            dir: dir.to_owned(),
            stop: stopped,
            metrics: metrics.clone(),
            readiness: readiness.clone(),
            timing: TIMING,
        };
        plugin.announce(&resources);
        Self { metrics, readiness, stop, task: tokio::spawn(plugin.serve(resources)) }
    }

    async fn ready(&self) {
        until("ready", || !self.task.is_finished() && self.readiness.reasons().is_empty()).await;
    }

    /// One line of the metrics.
    fn metric(&self, name: &str, labels: &str) -> String {
        let text = self.metrics.text();
        let start = format!("vhostuser_device_plugin_{name}{{resource=\"{NAME}\"{labels}}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).expect("there is such a metric").to_owned()
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.ended().await.unwrap();
    }

    async fn ended(self) -> Result<(), KubeletError> {
        timeout(PATIENCE, self.task).await.expect("it ends").unwrap()
    }
}

/// A kubelet and a plugin with one resource, which the kubelet listens to.
struct Pair {
    root: tempfile::TempDir,
    kubelet: Kubelet,
    stub: Arc<Stub>,
    plugin: Running,
}

impl Pair {
    async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let kubelet = Kubelet::start(root.path()).await;
        let stub = Stub::new(NAME, 3);
        let plugin = Running::start(&kubelet.plugin_dir(), vec![stub.clone()]);
        plugin.ready().await;
        let pair = Self { root, kubelet, stub, plugin };
        pair.listened_to().await;
        pair
    }

    async fn listened_to(&self) {
        until("the kubelet has the list", || self.kubelet.devices(NAME).len() == 3).await;
    }

    /// Why it is not ready.
    fn reasons(&self) -> Vec<String> {
        self.plugin.readiness.reasons()
    }
}
