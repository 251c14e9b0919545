//! The hook socket: its name, and how to bind it only when the server is ready.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use crate::config::{ContainerName, PluginSocket};
use host_io::random;

/// Why the hook socket cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error(
        "hook directory {0} does not exist: run this in a pod of KubeVirt, which mounts it, or pass another with --hook-dir"
    )]
    NoDirectory(PathBuf),
    #[error(
        "plugin directory {0} does not exist: mount the volume kubevirt-plugin-sockets there, or serve without --without-hooks"
    )]
    NoPluginDirectory(PathBuf),
    #[error(
        "hook directory {dir} cannot be written by user {user}: KubeVirt's volume belongs to group 107, so run as user and \
         group 107"
    )]
    NotWritable { dir: PathBuf, user: u32 },
    /// Another process answers on the socket.
    #[error("hook socket {0} is in use by another process: stop it first, or set another CONTAINER_NAME")]
    InUse(PathBuf),
    #[error("hook socket {0}: the name is taken by something that is not a socket: remove it")]
    NotASocket(PathBuf),
    #[error("hook socket {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

/// A bound hook socket; its file is removed on drop, unless another process has replaced it.
#[derive(Debug)]
pub(super) struct HookSocket {
    path: PathBuf,
    inode: Option<u64>,
}

/// The name must be unique in the whole pod: virt-launcher identifies a socket by its bare file name, and two sockets
/// of one name would count as one until the launcher gives up.
fn file_name(container: Option<&ContainerName>) -> io::Result<String> {
    match container {
        Some(name) => Ok(format!("vhostuser-{}.sock", name.as_str())),
        None => Ok(format!("vhostuser-{}.sock", random::hex8()?)),
    }
}

impl HookSocket {
    /// Binds the socket of the plugin framework, whose path is written in the `Plugin` object. `None` if its directory is
    /// not there: KubeVirt mounts it into compute only, and a cluster admin's policy mounts it here.
    pub(super) async fn bind_plugin(
        socket: &PluginSocket,
    ) -> Result<Option<(Self, UnixListener)>, SocketError> {
        match socket.dir().is_dir() {
            true => Self::bind_at(socket.path().to_owned()).await.map(Some),
            false => Ok(None),
        }
    }

    async fn bind_at(path: PathBuf) -> Result<(Self, UnixListener), SocketError> {
        remove_stale(&path).await?;
        let listener = UnixListener::bind(&path).map_err(|error| failed(&path, error))?;
        let inode = inode(&path);
        Ok((Self { path, inode }, listener))
    }

    /// Binds and listens back to back, in the place where virt-launcher looks: it would find a temporary name as a
    /// second socket. Only a dead predecessor's socket is removed.
    pub(super) async fn bind(
        dir: &Path,
        container: Option<&ContainerName>,
    ) -> Result<(Self, UnixListener), SocketError> {
        match fs::metadata(dir) {
            Ok(found) if found.is_dir() => {}
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(dir, error)),
            _ => return Err(SocketError::NoDirectory(dir.to_owned())),
        }
        let path = dir.join(file_name(container).map_err(|error| failed(dir, error))?);
        Self::bind_at(path).await.map_err(|error| match error {
            SocketError::Io { error, .. } if is_denied(&error) => {
                SocketError::NotWritable { dir: dir.to_owned(), user: geteuid().as_raw() }
            }
            error => error,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for HookSocket {
    fn drop(&mut self) {
        if self.inode.is_some() && inode(&self.path) == self.inode {
            // The pod's volume goes with the pod; the next process recognises a leftover socket as dead.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn failed(path: &Path, error: io::Error) -> SocketError {
    SocketError::Io { path: path.to_owned(), error }
}

fn inode(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|meta| meta.ino())
}

async fn remove_stale(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(path, error)),
        Ok(meta) if !meta.file_type().is_socket() => return Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    let found = inode(path);
    match UnixStream::connect(path).await {
        // Remove the socket that was tried, and not a successor's that was bound in the meantime.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && inode(path) == found => {
            fs::remove_file(path).map_err(|error| failed(path, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(path, error)),
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
    }
}
