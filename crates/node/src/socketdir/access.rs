//! Who may do what in a socket directory: owner and mode, the switch's own user by ACL, and the SELinux label.

use std::str::FromStr;

use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd},
    fs::{Gid, Mode, Uid, XattrFlags, fchmod, fchown, fremovexattr, fsetxattr, setxattr},
    io::Errno,
};

use vocabulary::Quoted;

/// A user and a group, by number: a static binary in a container has no names to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    pub(crate) fn apply(self, fd: impl AsFd) -> Result<(), Errno> {
        fchown(fd, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
    }
}

/// The rights to a socket directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Whose it is: the workload.
    pub owner: Owner,
    /// Permission bits for owner, group and others.
    pub mode: u32,
    /// The switch's user, where that is not root: it may pass through the directory and connect to a socket in it that
    /// was made with an umask which leaves the group its rights, such as libvirt's 002.
    pub switch_user: Option<u32>,
}

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

const READ_WRITE: u32 = 6;
const SEARCH: u32 = 1;

impl Access {
    /// The mode as `stat` shows it: with an ACL the group's bits are the ACL's mask.
    pub fn mode_as_seen(&self) -> u32 {
        let mask = if self.switch_user.is_some() { SEARCH << 3 } else { 0 };
        self.mode | mask
    }

    /// Sets all of it on an open directory; on failure what could not be done, and why.
    pub(super) fn apply_to_dir(&self, fd: impl AsFd) -> Result<(), (&'static str, Errno)> {
        let fd = fd.as_fd();
        self.owner.apply(fd).map_err(|error| ("its owner cannot be set", error))?;
        // First without an ACL: with one, the group's bits of the mode are the ACL's mask.
        for name in [ACCESS, DEFAULT] {
            remove_acl(fd, name).map_err(|error| ("its ACL cannot be removed", error))?;
        }
        let mode = Mode::from_raw_mode(self.mode);
        fchmod(fd, mode).map_err(|error| ("its mode cannot be set", error))?;
        let Some(user) = self.switch_user else { return Ok(()) };
        // The default ACL is for the sockets made in it. The maker's umask still counts (unix(7)): it must leave the
        // group its rights, as libvirt's 002 does.
        for (name, rights) in [(ACCESS, SEARCH), (DEFAULT, READ_WRITE)] {
            let list = acl(self.mode, user, rights);
            fsetxattr(fd, name, &list, XattrFlags::empty())
                .map_err(|error| ("its ACL for the switch's user cannot be set", error))?;
        }
        Ok(())
    }
}

fn remove_acl(fd: BorrowedFd<'_>, name: &str) -> Result<(), Errno> {
    match fremovexattr(fd, name) {
        // Without one, or on a file system that has none.
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        result => result,
    }
}

/// The kernel's form of an ACL (`linux/posix_acl_xattr.h`): a version, then tag, rights and id for each entry, in this
/// order, little-endian.
fn acl(mode: u32, user: u32, rights: u32) -> Vec<u8> {
    const NO_ID: u32 = u32::MAX;
    let (owner, group, others) = (mode >> 6 & 7, mode >> 3 & 7, mode & 7);
    let entries = [
        (0x01, owner, NO_ID),
        (0x02, rights, user),
        (0x04, group, NO_ID),
        (0x10, group | rights, NO_ID),
        (0x20, others, NO_ID),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend(u16::to_le_bytes(tag));
        // At most three bits.
        bytes.extend(&rights.to_le_bytes()[..2]);
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// An SELinux label, `user:role:type:level`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

/// A string that is not a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is no SELinux label: it is user:role:type:level, such as system_u:object_r:container_file_t:s0", Quoted(.0))]
pub struct LabelError(String);

/// The file system, or the kernel, has no labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoLabel;

impl Label {
    pub(super) fn apply(&self, fd: impl AsFd) -> Result<Result<(), NoLabel>, Errno> {
        told(fsetxattr(fd, "security.selinux", &self.value(), XattrFlags::empty()))
    }

    /// For an inode that is open without rights: by its place among the open files, which is no name that somebody
    /// could change.
    pub fn apply_to_path_fd(&self, fd: impl AsFd) -> Result<Result<(), NoLabel>, Errno> {
        let magic = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
        told(setxattr(magic, "security.selinux", &self.value(), XattrFlags::empty()))
    }

    fn value(&self) -> Vec<u8> {
        [self.0.as_bytes(), b"\0"].concat()
    }
}

fn told(result: Result<(), Errno>) -> Result<Result<(), NoLabel>, Errno> {
    match result {
        Ok(()) => Ok(Ok(())),
        Err(Errno::OPNOTSUPP) => Ok(Err(NoLabel)),
        Err(error) => Err(error),
    }
}

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let parts: Vec<_> = text.split(':').collect();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.,:".contains(&b);
        let right = parts.len() >= 4 && parts.iter().all(|part| !part.is_empty()) && text.bytes().all(plain);
        if right { Ok(Self(text.to_owned())) } else { Err(LabelError(text.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acl_has_the_kernels_form() {
        let hex: String = acl(0o770, 998, READ_WRITE).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "02000000\
             01000700ffffffff\
             02000600e6030000\
             04000700ffffffff\
             10000700ffffffff\
             20000000ffffffff"
        );
    }

    #[test]
    fn an_acl_shows_in_the_groups_bits() {
        let access = |mode, switch_user| Access { owner: Owner { uid: 1, gid: 1 }, mode, switch_user };
        assert_eq!(access(0o700, None).mode_as_seen(), 0o700);
        assert_eq!(access(0o700, Some(998)).mode_as_seen(), 0o710);
        assert_eq!(access(0o770, Some(998)).mode_as_seen(), 0o770);
    }

    #[test]
    fn labels_have_four_parts() {
        for good in ["system_u:object_r:container_file_t:s0", "u:r:t:s0:c1,c2"] {
            assert_eq!(good.parse::<Label>(), Ok(Label(good.to_owned())));
        }
        for bad in ["", "container_file_t", "u:r:t:", "u:r:t:s 0"] {
            assert_eq!(bad.parse::<Label>(), Err(LabelError(bad.to_owned())));
        }
    }
}
