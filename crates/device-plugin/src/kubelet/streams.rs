//! Whether the kubelet listens to us: who has `ListAndWatch` open.

use std::{future::pending, sync::Arc};

use tokio::sync::watch;

/// The streams that were opened since the last kubelet came. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Streams(Arc<watch::Sender<State>>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Which kubelet.
    generation: u64,
    open: usize,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::default()))
    }

    /// Another kubelet has come. It has no stream yet, and those that are open are of no use to anybody.
    pub(super) fn begin(&self) {
        self.0.send_modify(|state| *state = State { generation: state.generation + 1, open: 0 });
    }

    /// A stream, which is open until what is returned is dropped.
    pub(super) fn open(&self) -> OpenStream {
        self.0.send_modify(|state| state.open += 1);
        OpenStream {
            generation: self.0.borrow().generation,
            changes: self.0.subscribe(),
            streams: self.clone(),
        }
    }

    pub(super) fn any_open(&self) -> bool {
        self.0.borrow().open > 0
    }

    /// Tells of each change from now on.
    pub(super) fn changes(&self) -> Changes {
        Changes(self.0.subscribe())
    }
}

#[derive(Debug)]
pub(super) struct Changes(watch::Receiver<State>);

impl Changes {
    pub(super) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

#[derive(Debug)]
pub(super) struct OpenStream {
    generation: u64,
    changes: watch::Receiver<State>,
    streams: Streams,
}

impl OpenStream {
    /// Waits until another kubelet has come.
    pub(super) async fn superseded(&mut self) {
        let own = self.generation;
        if self.changes.wait_for(|state| state.generation != own).await.is_err() {
            pending::<()>().await;
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.0.send_if_modified(|state| {
            let counts = state.generation == self.generation;
            state.open -= usize::from(counts);
            counts
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_earlier_kubelets_streams_count_for_nothing_and_end() {
        let streams = Streams::new();
        assert!(!streams.any_open());
        let first = streams.open();
        let mut second = streams.clone().open();
        drop(first);
        assert!(streams.any_open());

        streams.begin();
        assert!(!streams.any_open());
        let third = streams.open();
        second.superseded().await;
        drop(second);
        assert!(streams.any_open());
        drop(third);
        assert!(!streams.any_open());
    }

    #[tokio::test]
    async fn tells_of_changes() {
        let streams = Streams::new();
        let mut changes = streams.changes();
        let stream = streams.open();
        changes.next().await;
        drop(stream);
        changes.next().await;
        assert!(!changes.0.has_changed().unwrap());
    }
}
