//! Our socket in the kubelet's directory: its name, and binding it where the kubelet may remove it at any time.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::geteuid;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::AbortHandle,
    time::sleep,
};
use tracing::warn;

use vocabulary::SOCKET_PATH_MAX;

/// How long to wait after the kernel refused to hand out a connection, which is when file descriptors have run out.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Why there is no socket for the kubelet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error(
        "socket {} has {length} bytes, more than the {SOCKET_PATH_MAX} that a socket path can have: \
         choose a shorter domain or resource name",
        .path.display()
    )]
    TooLong { path: PathBuf, length: usize },
    #[error("directory {} does not exist: start the kubelet, or pass its directory with --kubelet-dir", .0.display())]
    NoDirectory(PathBuf),
    #[error(
        "directory {} cannot be written by user {user}: run as root and mount the directory read-write",
        .dir.display()
    )]
    NotWritable { dir: PathBuf, user: u32 },
    #[error("socket {} is in use by another process: stop it first (one device plugin per node)", .0.display())]
    InUse(PathBuf),
    #[error("socket {}: the path exists and is not a socket: remove it", .0.display())]
    NotASocket(PathBuf),
    #[error("socket {}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
}

impl SocketError {
    /// Whether it may pass by itself. The others need a human.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::NoDirectory(_) | Self::Io { .. })
    }
}

/// Where the socket of a resource is: `<domain>_<name>.sock`. Refuses a path that the kernel does not take.
pub(crate) fn socket_path(dir: &Path, resource: &str) -> Result<PathBuf, SocketError> {
    let path = dir.join(format!("{}.sock", resource.replace('/', "_")));
    match path.as_os_str().len() {
        length if length > SOCKET_PATH_MAX => Err(SocketError::TooLong { path, length }),
        _ => Ok(path),
    }
}

/// Which file a name stands for. The time is part of it because an inode's number is given again at once; connecting
/// to a socket, or changing its owner or mode, leaves that time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

impl FileId {
    /// Nothing if there is no such file.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let meta = fs::symlink_metadata(path).ok()?;
        let modified = (meta.mtime(), meta.mtime_nsec());
        Some(Self { device: meta.dev(), inode: meta.ino(), modified })
    }

    #[cfg(test)]
    pub(super) fn example(inode: u64) -> Self {
        Self { device: 0, inode, modified: (0, 0) }
    }
}

/// A bound socket. Its file goes when it is dropped, unless somebody else's has taken the place.
#[derive(Debug)]
pub(super) struct PluginSocket {
    path: PathBuf,
    id: Option<FileId>,
    accepting: AbortHandle,
}

impl PluginSocket {
    /// Binds, and hands every connection on. Only a dead predecessor's socket is removed.
    pub(super) async fn bind(path: &Path, connections: Connections) -> Result<Self, SocketError> {
        remove_stale(path).await?;
        let listener = UnixListener::bind(path).map_err(|error| not_bound(path, error))?;
        let id = FileId::of(path);
        // The kubelet is root, and nobody else has a reason to call.
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
        let accepting = tokio::spawn(accept(listener, connections)).abort_handle();
        Ok(Self { path: path.to_owned(), id, accepting })
    }

    /// Whether the name still stands for this socket.
    pub(super) fn is_there(&self) -> bool {
        self.id.is_some() && FileId::of(&self.path) == self.id
    }
}

impl Drop for PluginSocket {
    fn drop(&mut self) {
        self.accepting.abort();
        if self.is_there() {
            // One left behind is found dead by the next process, and the kubelet removes it when it starts.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Where connections go.
pub(super) type Connections = mpsc::Sender<io::Result<UnixStream>>;

async fn accept(listener: UnixListener, connections: Connections) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if connections.send(Ok(stream)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                warn!(%error, "cannot accept the kubelet's connection");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn not_bound(path: &Path, error: io::Error) -> SocketError {
    let dir = path.parent().unwrap_or(path).to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => SocketError::NoDirectory(dir),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            SocketError::NotWritable { dir, user: geteuid().as_raw() }
        }
        _ => SocketError::Io { path: path.to_owned(), error },
    }
}

async fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let fail = |error| SocketError::Io { path: path.to_owned(), error };
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => FileId::of(path),
    };
    match UnixStream::connect(path).await {
        // The one that was asked, and not a successor that has bound in the meantime.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && FileId::of(path) == found => {
            fs::remove_file(path).map_err(fail)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fail(error)),
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
    }
}
