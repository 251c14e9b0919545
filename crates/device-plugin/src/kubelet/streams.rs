//! The open `ListAndWatch` streams: whether the kubelet listens to us.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// The streams of the present kubelet. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    /// Each stream holds a receiver; sending ends them all.
    kubelet: Arc<watch::Sender<()>>,
    changed: Arc<Notify>,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self { kubelet: Arc::new(watch::Sender::new(())), changed: Arc::default() }
    }

    /// A stream, which counts as open until the value is dropped.
    pub(super) fn open(&self) -> OpenStream {
        self.changed.notify_one();
        OpenStream { superseded: self.kubelet.subscribe(), changed: Arc::clone(&self.changed) }
    }

    pub(super) fn any_open(&self) -> bool {
        self.kubelet.receiver_count() > 0
    }

    /// Another kubelet has come: nobody reads the open streams any more.
    pub(super) fn end_all(&self) {
        self.kubelet.send_replace(());
    }

    /// Waits until one is opened or ends.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

#[derive(Debug)]
pub(super) struct OpenStream {
    superseded: watch::Receiver<()>,
    changed: Arc<Notify>,
}

impl OpenStream {
    /// Waits until another kubelet has come.
    pub(super) async fn superseded(&mut self) {
        // The sender lives as long as the server.
        let _ = self.superseded.changed().await;
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_earlier_kubelets_streams_end() {
        let streams = Streams::new();
        assert!(!streams.any_open());
        let first = streams.open();
        streams.changed().await;
        let mut second = streams.clone().open();
        drop(first);
        streams.changed().await;
        assert!(streams.any_open());

        streams.end_all();
        second.superseded().await;
        drop(second);
        assert!(!streams.any_open());
        let _third = streams.open();
        assert!(streams.any_open());
    }
}
