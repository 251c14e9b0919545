//! The mounts that the socket root is made of.

use std::{ffi::CString, fs, os::unix::ffi::OsStrExt, path::Path};

use rustix::{
    fd::{AsRawFd, OwnedFd},
    fs::CWD,
    io::Errno,
    mount::{
        MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_change,
        mount_remount, move_mount, open_tree,
    },
};
use tracing::warn;

use super::config::Limits;

const HARD: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Mounts a directory onto itself, hardened. Twice: options can be set only where it is mounted, and other mount
/// namespaces get it with the options that it has when it is attached.
pub(super) fn onto_itself(path: &Path) -> Result<(), Errno> {
    attach_copy(path)?;
    harden(path)?;
    again(path)
}

/// Attaches a mount anew, so that all mount namespaces get it with the options that it has here.
pub(super) fn again(path: &Path) -> Result<(), Errno> {
    harden(path)?;
    let hard = private_copy(path)?;
    unmount(path, UnmountFlags::DETACH)?;
    attach(&hard, path)
}

fn attach_copy(path: &Path) -> Result<(), Errno> {
    attach(&private_copy(path)?, path)
}

/// Private, for it would otherwise share every later mount with the file system below, which would then have each
/// twice.
fn private_copy(path: &Path) -> Result<OwnedFd, Errno> {
    let tree = detached(path)?;
    mount_change(proc_path(&tree), MountPropagationFlags::PRIVATE)?;
    Ok(tree)
}

fn attach(tree: &OwnedFd, path: &Path) -> Result<(), Errno> {
    move_mount(tree, "", CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Whether what is mounted there was hardened, and whether anything is mounted below it.
pub(super) fn is_hard(path: &Path) -> Result<(bool, bool), Errno> {
    let table = fs::read("/proc/self/mountinfo").map_err(|_| Errno::NOENT)?;
    let path = escape(path);
    let (mut hard, mut below) = (false, false);
    for line in table.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b' ').skip(4);
        let (Some(at), Some(options)) = (fields.next(), fields.next()) else { continue };
        if at == path.as_slice() {
            hard = options.split(|byte| *byte == b',').any(|option| option == b"nosuid");
        } else if contains(&path, at) {
            below = true;
        }
    }
    Ok((hard, below))
}

/// A copy of what is mounted at a path, without what is mounted below it, that is nowhere in the tree of mounts.
pub(super) fn detached(path: &Path) -> Result<OwnedFd, Errno> {
    open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)
}

/// Nothing below this mount is run, is a device, or is a link that anybody follows.
pub(super) fn harden(path: &Path) -> Result<(), Errno> {
    let flags = MountFlags::BIND | HARD;
    match mount_remount(path, flags | MountFlags::NOSYMFOLLOW, "") {
        Err(Errno::INVAL) => {
            warn!(
                "this kernel has no nosymfollow (added in Linux 5.10): the socket root is mounted without it"
            );
            mount_remount(path, flags, "")
        }
        result => result,
    }
}

/// Mounts a file system of limited size onto a directory.
pub(super) fn small(path: &Path, limits: Limits) -> Result<(), Errno> {
    let options = options(limits)?;
    match mount("vhostuser", path, "tmpfs", HARD | MountFlags::NOSYMFOLLOW, Some(options.as_c_str())) {
        Err(Errno::INVAL) => mount("vhostuser", path, "tmpfs", HARD, Some(options.as_c_str())),
        result => result,
    }
}

/// Gives a file system that is there already its limits, which may have been configured anew.
pub(super) fn resize(path: &Path, limits: Limits) {
    let resized = options(limits).and_then(|options| {
        let data = options.as_c_str();
        match mount_remount(path, HARD | MountFlags::NOSYMFOLLOW, data) {
            Err(Errno::INVAL) => mount_remount(path, HARD, data),
            result => result,
        }
    });
    if let Err(error) = resized {
        warn!(path = %path.display(), %error, "limits unchanged: the directory holds more than the new ones allow");
    }
}

/// Two directories are the file system's root and the pod's, and one more stands beside it while it is made; since Linux
/// 6.6 label and ACL are counted with the files too.
fn options(limits: Limits) -> Result<CString, Errno> {
    let options = format!("size={},nr_inodes={},mode=0711", limits.bytes, limits.files + 4);
    CString::new(options).map_err(|_| Errno::INVAL)
}

/// Takes the uppermost mount off a directory.
pub(super) fn unmount(path: &Path, flags: UnmountFlags) -> Result<(), Errno> {
    rustix::mount::unmount(path, flags | UnmountFlags::NOFOLLOW)
}

/// Whether other mount namespaces get what is mounted at this path (`proc(5)`, mountinfo).
pub(super) fn is_shared(path: &Path) -> Result<bool, Errno> {
    let table = fs::read("/proc/self/mountinfo").map_err(|_| Errno::NOENT)?;
    let path = escape(path);
    let field = |line: &[u8]| line.split(|byte| *byte == b' ').nth(4).map(<[u8]>::to_vec);
    let mut found: Option<(usize, &[u8])> = None;
    for line in table.split(|byte| *byte == b'\n') {
        // The deepest, and of these the last, which is the uppermost.
        if let Some(at) = field(line).filter(|at| contains(at, &path))
            && found.is_none_or(|(depth, _)| at.len() >= depth)
        {
            found = Some((at.len(), line));
        }
    }
    let (_, line) = found.ok_or(Errno::NOENT)?;
    let mut optional = line.split(|byte| *byte == b' ').skip(6).take_while(|field| *field != b"-");
    Ok(optional.any(|field| field.starts_with(b"shared:")))
}

fn contains(mount: &[u8], path: &[u8]) -> bool {
    mount == b"/" || path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// As the kernel writes a path into mountinfo.
fn escape(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").bytes()),
            _ => escaped.push(*byte),
        }
    }
    escaped
}

fn proc_path(fd: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_the_kernel_does() {
        assert_eq!(escape(Path::new("/run/a b\\c")), b"/run/a\\040b\\134c");
    }

    #[test]
    fn finds_a_mount_in_the_table() {
        assert_eq!(is_shared(Path::new("/proc")), is_shared(Path::new("/proc/self")));
        assert!(contains(b"/", b"/run/x") && contains(b"/run", b"/run/x") && contains(b"/run/x", b"/run/x"));
        assert!(!contains(b"/run", b"/runx") && !contains(b"/run/x", b"/run"));
    }
}
