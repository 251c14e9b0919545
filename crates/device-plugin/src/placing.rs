//! Sockets on which the switch listens (`client` mode).
//!
//! The switch makes them as root in its own directory, and anew after each restart. Each is moved into the directory
//! of the pod that has the port, with the pod's owner. Moved and not copied or linked: DPDK does not bind over the
//! socket of a switch that was killed, so an old one must not stay.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use rustix::{
    fd::{AsRawFd, OwnedFd},
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, chmodat, chownat, fstat, openat2,
        renameat, stat, statat,
    },
    io::Errno,
};

use super::mounts;
use node::socketdir::{Label, Owner};
use vocabulary::{DeviceId, POD_DIR, SOCKET_FILE};

/// Rights of a placed socket: to connect needs write permission (unix(7)).
const SOCKET_MODE: u32 = 0o660;

/// Why sockets cannot be placed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(
        "the switch's socket directory {} and the socket root {} are not on one file system, and a socket cannot be moved \
         from one to another: put both below one mount, such as /run",
        switch.display(), root.display()
    )]
    OtherFileSystem { switch: PathBuf, root: PathBuf },
    #[error(
        "{}: it belongs to user {found}, and neither to the directory's owner {switch} nor to the workload: left alone",
        path.display()
    )]
    Stranger { path: PathBuf, found: u32, switch: u32 },
    #[error("{}: {action}: {error}", path.display())]
    Io { path: PathBuf, action: &'static str, error: io::Error },
}

/// A switch's socket directory and the socket root, in one mount: `rename(2)` does not cross mounts, and the root is
/// one of its own. So this is a mount of their common parent that nobody else sees.
#[derive(Debug)]
pub(crate) struct Placing {
    parent: OwnedFd,
    /// The switch's directory, from there and from the host's root.
    switch: (PathBuf, PathBuf),
    /// The socket root, from there and from the host's root.
    root: (PathBuf, PathBuf),
    owner: Owner,
    label: Option<Label>,
}

impl Placing {
    /// `root` and `switch` must exist and be without links; placed sockets belong to `owner` and have the `label`.
    pub(crate) fn new(
        switch: &Path,
        root: &Path,
        owner: Owner,
        label: Option<Label>,
    ) -> Result<Self, PlaceError> {
        let parent = common_parent(switch, root);
        let below = |path: &Path| path.strip_prefix(&parent).unwrap_or(path).to_owned();
        let tree = mounts::detached(&parent)
            .map_err(io_error(&parent, "cannot be copied as a mount (is CAP_SYS_ADMIN missing?)"))?;
        let placing = Self {
            parent: tree,
            switch: (below(switch), switch.to_owned()),
            root: (below(root), root.to_owned()),
            owner,
            label,
        };
        placing.check_same_directories()?;
        Ok(placing)
    }

    /// Moves the device's socket to its pod, if the switch has made one. True if it did.
    pub(crate) fn place(&self, id: &DeviceId) -> Result<bool, PlaceError> {
        let name = id.port_name();
        let path = self.switch.1.join(&name);
        let fail = |action| io_error(&path, action);
        let switch = match self.open(&self.switch.0) {
            // The switch is away, or has never been here.
            Err(Errno::NOENT) => return Ok(false),
            result => result.map_err(io_error(&self.switch.1, "cannot be opened"))?,
        };
        let socket = match open(&switch, Path::new(&name), OFlags::PATH | OFlags::NOFOLLOW) {
            Err(Errno::NOENT | Errno::LOOP) => return Ok(false),
            result => result.map_err(fail("cannot be opened"))?,
        };
        let found = fstat(&socket).map_err(fail("cannot be inspected"))?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
            return Ok(false);
        }
        self.check_owner(&switch, &found, &path)?;
        self.give(&socket).map_err(fail("its label, owner and mode cannot be set"))?;
        let device = Path::new(id.as_str()).join(POD_DIR);
        let shown = self.root.1.join(&device);
        let device = self.open(&self.root.0.join(device)).map_err(io_error(&shown, "cannot be opened"))?;
        renameat(&switch, name.as_str(), &device, SOCKET_FILE).map_err(fail("cannot be moved to its pod"))?;
        // Made anew in this very moment: then the name is another socket, and the next look gives it its owner.
        let placed = statat(&device, SOCKET_FILE, AtFlags::SYMLINK_NOFOLLOW);
        Ok(placed.is_ok_and(|placed| placed.st_ino == found.st_ino))
    }

    /// Whether the switch's directory, by the path that was configured, is still the one that is looked at.
    pub(crate) fn is_in_place(&self, dir: &Path) -> bool {
        let Ok(seen) = stat(dir) else { return true };
        let same = |found: Stat| (found.st_dev, found.st_ino) == (seen.st_dev, seen.st_ino);
        self.open(&self.switch.0).and_then(fstat).is_ok_and(same)
    }

    /// Through the parent's mount both must be what they are by their own paths.
    fn check_same_directories(&self) -> Result<(), PlaceError> {
        for (below, path) in [&self.switch, &self.root] {
            let seen = stat(path).map_err(io_error(path, "cannot be inspected"))?;
            let same = |found: Stat| (found.st_dev, found.st_ino) == (seen.st_dev, seen.st_ino);
            if !self.open(below).and_then(fstat).is_ok_and(same) {
                let (switch, root) = (self.switch.1.clone(), self.root.1.clone());
                return Err(PlaceError::OtherFileSystem { switch, root });
            }
        }
        Ok(())
    }

    fn open(&self, below: &Path) -> Result<OwnedFd, Errno> {
        open(&self.parent, below, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// A process that was killed here may have given it to the workload already.
    fn check_owner(&self, switch: &OwnedFd, found: &Stat, path: &Path) -> Result<(), PlaceError> {
        let owner = fstat(switch).map_err(io_error(&self.switch.1, "cannot be inspected"))?.st_uid;
        match found.st_uid == owner || found.st_uid == 0 || found.st_uid == self.owner.uid {
            true => Ok(()),
            false => Err(PlaceError::Stranger { path: path.to_owned(), found: found.st_uid, switch: owner }),
        }
    }

    fn give(&self, socket: &OwnedFd) -> Result<(), Errno> {
        let (uid, gid) = (Uid::from_raw(self.owner.uid), Gid::from_raw(self.owner.gid));
        if let Some(label) = &self.label {
            // A kernel without labels needs none.
            let _ = label.apply_to_path_fd(socket)?;
        }
        chownat(socket, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        // The way to an inode that is open without rights; a path could have become something else.
        let magic = format!("/proc/self/fd/{}", socket.as_raw_fd());
        chmodat(rustix::fs::CWD, magic, Mode::from_raw_mode(SOCKET_MODE), AtFlags::empty())
    }
}

/// Follows no link and leaves neither the directory nor its mount.
fn open(dir: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    loop {
        // The kernel asks for another try where something was renamed meanwhile (openat2(2)).
        match openat2(dir, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
}

fn common_parent(a: &Path, b: &Path) -> PathBuf {
    let same = a.components().zip(b.components()).take_while(|(a, b)| a == b);
    let parent: PathBuf = same.map(|(component, _)| component).collect();
    if parent.as_os_str().is_empty() { Component::RootDir.as_os_str().into() } else { parent }
}

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(Errno) -> PlaceError {
    let path = path.to_owned();
    move |error| PlaceError::Io { path, action, error: error.into() }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::{
            fs::{MetadataExt, symlink},
            net::{UnixListener, UnixStream},
        },
    };

    use super::*;
    use crate::{
        config::{Config, Limits, Sockets},
        own_mounts::inside,
        root::SocketRoot,
    };
    use node::socketdir::Access;
    use vocabulary::{ComputePath, SocketMode};

    const QEMU: Owner = Owner { uid: 107, gid: 107 };

    fn prepared() -> (SocketRoot, DeviceId) {
        let sockets = Sockets {
            host_root: "/run/vhostuser".parse().unwrap(),
            container_root: ComputePath::directory("/run/vhostuser").unwrap(),
            access: Access { owner: QEMU, mode: 0o770, switch_user: None },
            label: None,
            limits: Limits { bytes: 65536, files: 32 },
        };
        let domain = "a.b".parse().unwrap();
        let config = Config { domain, sockets, switches: vec![], resources: vec![], dataplane: None };
        let root = SocketRoot::prepare(&config).unwrap();
        let id: DeviceId = "listening-0".parse().unwrap();
        root.ensure(&id, SocketMode::Client).unwrap();
        (root, id)
    }

    #[test]
    fn a_socket_goes_to_its_pod_on_appearance_and_after_each_restart() {
        if !inside("placing::tests::a_socket_goes_to_its_pod_on_appearance_and_after_each_restart") {
            return;
        }
        let (root, id) = prepared();
        fs::create_dir("/run/openvswitch").unwrap();
        let placing = Placing::new(Path::new("/run/openvswitch"), root.path(), QEMU, None).unwrap();
        assert!(!placing.place(&id).unwrap());
        let made = Path::new("/run/openvswitch").join(id.port_name());
        let placed = Path::new("/run/vhostuser/listening-0/pod/vhost.sock");
        for restart in 0..3 {
            // A package's upgrade removes the directory as well.
            if restart == 2 {
                fs::remove_dir("/run/openvswitch").unwrap();
                assert!(!placing.place(&id).unwrap());
                fs::create_dir("/run/openvswitch").unwrap();
            }
            let switch = UnixListener::bind(&made).unwrap();
            assert!(placing.place(&id).unwrap());
            assert!(!made.exists());
            let meta = fs::symlink_metadata(placed).unwrap();
            assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (107, 107, 0o660));
            UnixStream::connect(placed).unwrap();
            switch.accept().unwrap();
            assert!(!placing.place(&id).unwrap());
        }
    }

    #[test]
    fn what_a_tenant_laid_in_the_way_is_replaced_and_not_followed() {
        if !inside("placing::tests::what_a_tenant_laid_in_the_way_is_replaced_and_not_followed") {
            return;
        }
        let (root, id) = prepared();
        fs::create_dir("/run/openvswitch").unwrap();
        let placing = Placing::new(Path::new("/run/openvswitch"), root.path(), QEMU, None).unwrap();
        let made = Path::new("/run/openvswitch").join(id.port_name());
        let placed = Path::new("/run/vhostuser/listening-0/pod/vhost.sock");
        fs::write("/run/victim", "kept").unwrap();
        symlink("/run/victim", placed).unwrap();
        let _switch = UnixListener::bind(&made).unwrap();
        assert!(placing.place(&id).unwrap());
        UnixStream::connect(placed).unwrap();
        let victim = fs::symlink_metadata("/run/victim").unwrap();
        assert_eq!((victim.uid(), fs::read_to_string("/run/victim").unwrap()), (0, "kept".to_owned()));

        // The pod's directory itself made a link.
        fs::rename("/run/vhostuser/listening-0/pod", "/run/vhostuser/moved").unwrap();
        fs::create_dir("/run/elsewhere").unwrap();
        symlink("/run/elsewhere", "/run/vhostuser/listening-0/pod").unwrap();
        let _switch = UnixListener::bind(&made).unwrap();
        let refused = placing.place(&id).unwrap_err().to_string();
        assert!(refused.starts_with("/run/vhostuser/listening-0/pod: cannot be opened: "), "{refused}");
        assert_eq!(fs::read_dir("/run/elsewhere").unwrap().count(), 0);
    }

    #[test]
    fn only_the_switchs_sockets_are_moved() {
        if !inside("placing::tests::only_the_switchs_sockets_are_moved") {
            return;
        }
        let (root, id) = prepared();
        fs::create_dir("/run/openvswitch").unwrap();
        let placing = Placing::new(Path::new("/run/openvswitch"), root.path(), QEMU, None).unwrap();
        let made = Path::new("/run/openvswitch").join(id.port_name());
        fs::write(&made, "no socket").unwrap();
        assert!(!placing.place(&id).unwrap());
        fs::remove_file(&made).unwrap();
        let _other = UnixListener::bind("/run/other.sock").unwrap();
        symlink("/run/other.sock", &made).unwrap();
        assert!(!placing.place(&id).unwrap());
        assert!(Path::new("/run/other.sock").exists());
        fs::remove_file(&made).unwrap();
        let _strangers = UnixListener::bind(&made).unwrap();
        std::os::unix::fs::chown(&made, Some(1234), None).unwrap();
        assert_eq!(
            placing.place(&id).unwrap_err().to_string(),
            format!(
                "{}: it belongs to user 1234, and neither to the directory's owner 0 nor to the workload: left alone",
                made.display()
            )
        );
        // Killed after the first step.
        std::os::unix::fs::chown(&made, Some(107), None).unwrap();
        assert!(placing.place(&id).unwrap());
    }

    #[test]
    fn another_file_system_is_told_at_start() {
        if !inside("placing::tests::another_file_system_is_told_at_start") {
            return;
        }
        let (root, _) = prepared();
        fs::create_dir("/mnt/openvswitch").unwrap();
        assert_eq!(
            Placing::new(Path::new("/mnt/openvswitch"), root.path(), QEMU, None).unwrap_err().to_string(),
            "the switch's socket directory /mnt/openvswitch and the socket root /run/vhostuser are not on one file \
             system, and a socket cannot be moved from one to another: put both below one mount, such as /run"
        );
    }
}
