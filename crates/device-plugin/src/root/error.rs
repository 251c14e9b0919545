//! Why the socket root cannot be used.

use std::{
    io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use node::socketdir::SocketDirError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RootError {
    #[error("socket root {}: {action}: {error}", path.display())]
    Io { path: PathBuf, action: &'static str, error: io::Error },
    #[error(
        "socket root {} is not empty and was not made by this plugin: give it a dedicated directory (sockets.hostRoot)",
        .0.display()
    )]
    NotOurs(PathBuf),
    #[error("socket root {}: in use by another device plugin: stop it first", .0.display())]
    Locked(PathBuf),
    #[error(
        "socket root {}: users other than root can change its parent directory: use a directory of root's, such as /run",
        .0.display()
    )]
    UnsafeParent(PathBuf),
    #[error(
        "socket root {}: mounts made here are visible in this mount namespace only: in a container the volume needs \
         mountPropagation: Bidirectional; elsewhere see mount(8), --make-shared",
        .0.display()
    )]
    NotShared(PathBuf),
    #[error(
        "socket root {} has directories of domain {was}, and domain is now {is}: pods may be using them under the same \
         ids; give the new domain another root, or remove them when no pod has one (umount -R, rm -r)",
        path.display()
    )]
    OtherDomain { path: PathBuf, was: String, is: String },
    #[error("{}: it was unmounted or replaced after the start: restart the device plugin", .0.display())]
    Replaced(PathBuf),
    #[error(
        "{} was made for a resource of another mode and may be in use: give the resource another name, or remove it when no pod has it",
        .0.display()
    )]
    OtherMode(PathBuf),
    #[error(transparent)]
    Directory(#[from] SocketDirError),
}

pub(super) fn io_error(path: &Path, action: &'static str) -> impl FnOnce(Errno) -> RootError {
    let path = path.to_owned();
    move |error| RootError::Io { path, action, error: error.into() }
}
