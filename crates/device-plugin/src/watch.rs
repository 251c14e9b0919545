//! Waiting for something to change in a directory.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::{Errno, read},
};
use tokio::{
    io::unix::AsyncFd,
    time::{Instant, sleep, timeout_at},
};
use tracing::warn;

/// Time between two looks where the kernel tells nothing.
const POLL: Duration = Duration::from_millis(200);

/// Entries that come or go, and the directory itself.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Tells when something in a directory *may* have changed; what it was, its owner finds out by looking. The
/// directory may come, go and be made anew at any time.
#[derive(Debug)]
pub(crate) struct DirWatch {
    dir: PathBuf,
    /// Nothing where there is no inotify to be had: then every look is one after [`POLL`].
    inotify: Option<AsyncFd<OwnedFd>>,
    /// The kernel's number for the directory that is watched; another directory of that name gets another.
    watched: Option<i32>,
}

impl DirWatch {
    /// Watches from now on: what changes after this returned is told by [`Self::changed`]. Needs a tokio runtime.
    pub(crate) fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let inotify = start(&dir);
        let mut watch = Self { dir, inotify, watched: None };
        watch.arm();
        watch
    }

    /// Waits until something may have changed, but no longer than `timeout`. Nothing is lost between two calls, nor
    /// by dropping one.
    pub(crate) async fn changed(&mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        loop {
            if self.arm() {
                return;
            }
            let poll = deadline.min(Instant::now() + POLL);
            match (&self.inotify, self.watched) {
                (None, _) => return sleep(poll - Instant::now()).await,
                (Some(inotify), Some(_)) => {
                    let _ = timeout_at(deadline, drained(inotify)).await;
                    return;
                }
                // No directory: look for it.
                (Some(_), None) => sleep(poll - Instant::now()).await,
            }
            if Instant::now() >= deadline {
                return;
            }
        }
    }

    /// Makes sure that the watch is on the directory that has the name now. True if that is another than before.
    fn arm(&mut self) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let before = self.watched;
        self.watched = match inotify::add_watch(inotify, &self.dir, EVENTS) {
            Ok(watch) => Some(watch),
            Err(error @ (Errno::NOSPC | Errno::NOMEM)) => {
                unavailable(&self.dir, &error.into());
                self.inotify = None;
                return true;
            }
            Err(_) => None,
        };
        if let (Some(old), true) = (before, before != self.watched) {
            // Fails if the old directory was removed, and then there is nothing to do.
            let _ = inotify::remove_watch(inotify, old);
        }
        before != self.watched
    }
}

fn start(dir: &Path) -> Option<AsyncFd<OwnedFd>> {
    let started = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC);
    match started.map_err(io::Error::from).and_then(registered) {
        Ok(inotify) => Some(inotify),
        Err(error) => {
            unavailable(dir, &error);
            None
        }
    }
}

/// The function is deprecated because a type may change the file descriptor that it shows; an `OwnedFd` cannot.
#[allow(deprecated)]
fn registered(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

fn unavailable(dir: &Path, error: &io::Error) {
    warn!(
        dir = %dir.display(), %error,
        "no inotify, looking every {} ms instead: raise fs.inotify.max_user_instances or max_user_watches",
        POLL.as_millis()
    );
}

/// Waits for events and takes them all.
async fn drained(inotify: &AsyncFd<OwnedFd>) {
    let Ok(mut ready) = inotify.readable().await else { return };
    let mut events = [0_u8; 4096];
    while read(inotify, &mut events).is_ok_and(|length| length > 0) {}
    ready.clear_ready();
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn polling(dir: &Path) -> DirWatch {
        DirWatch { dir: dir.to_owned(), inotify: None, watched: None }
    }

    /// Waits for a change and tells whether it came long before the time was over.
    async fn told(watch: &mut DirWatch) -> bool {
        let started = Instant::now();
        watch.changed(LONG).await;
        started.elapsed() < LONG / 2
    }

    async fn quiet(watch: &mut DirWatch) -> bool {
        let started = Instant::now();
        watch.changed(Duration::from_millis(20)).await;
        started.elapsed() >= Duration::from_millis(20)
    }

    #[tokio::test]
    async fn tells_what_came_before_it_was_asked() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = DirWatch::new(dir.path());
        assert!(quiet(&mut watch).await);
        fs::write(dir.path().join("a"), "").unwrap();
        assert!(told(&mut watch).await);
        assert!(quiet(&mut watch).await, "told once");
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        assert!(told(&mut watch).await);
        fs::remove_file(dir.path().join("b")).unwrap();
        assert!(told(&mut watch).await);
    }

    #[tokio::test]
    async fn tells_while_it_waits() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = DirWatch::new(dir.path());
        let file = dir.path().join("a");
        let (told, ()) = tokio::join!(told(&mut watch), async { fs::write(file, "").unwrap() });
        assert!(told);
    }

    #[tokio::test]
    async fn survives_the_directory_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("dir");
        let mut watch = DirWatch::new(&dir);
        assert!(quiet(&mut watch).await, "there is none yet");
        for name in ["removed", "renamed"] {
            fs::create_dir(&dir).unwrap();
            assert!(told(&mut watch).await, "it was made");
            fs::write(dir.join("a"), "").unwrap();
            assert!(told(&mut watch).await, "something was made in it");
            match name {
                "removed" => fs::remove_dir_all(&dir).unwrap(),
                _ => fs::rename(&dir, root.path().join(name)).unwrap(),
            }
            assert!(told(&mut watch).await, "it is gone");
            while !quiet(&mut watch).await {}
        }
    }

    #[tokio::test]
    async fn another_directory_under_the_name_is_a_change() {
        let root = tempfile::tempdir().unwrap();
        let (dir, old) = (root.path().join("dir"), root.path().join("old"));
        fs::create_dir(&dir).unwrap();
        let mut watch = DirWatch::new(&dir);
        fs::rename(&dir, &old).unwrap();
        fs::create_dir(&dir).unwrap();
        assert!(told(&mut watch).await);
        while !quiet(&mut watch).await {}
        fs::write(old.join("a"), "").unwrap();
        assert!(quiet(&mut watch).await, "the old one is nobody's business any more");
    }

    #[tokio::test]
    async fn without_inotify_every_look_may_be_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = polling(dir.path());
        let started = Instant::now();
        watch.changed(LONG).await;
        assert!((POLL..LONG / 2).contains(&started.elapsed()), "{:?}", started.elapsed());
        let started = Instant::now();
        watch.changed(Duration::from_millis(20)).await;
        assert!((Duration::from_millis(20)..POLL).contains(&started.elapsed()), "{:?}", started.elapsed());
    }
}
