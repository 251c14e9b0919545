//! Where the stable links are: by the name of our container, or beside the plugin framework's socket.

use std::path::{Path, PathBuf};

use crate::symlink::LinkDir;
use vocabulary::{ComputePath, Expected, SOCKET_PATH_MAX};

/// The folder for our links, below the sidecar's part of the shared volume: KubeVirt's developer guide keeps it free.
const USERDATA: &str = "userdata";

/// The directory that stands for `$CONTAINER_NAME` where KubeVirt (≤ 1.5) sets none: a VM that is upgraded by live
/// migration then finds its links under the same path in KubeVirt ≥ 1.6.
const FLAT_CONTAINER: &str = "hook-sidecar-0";

/// Warning for an unrecognised CONTAINER_NAME.
pub(crate) const STRANGE_CONTAINER_NAME: &str = "not a KubeVirt sidecar name ('hook-sidecar-<N>'); assuming the flat \
                                                 volume layout of KubeVirt 1.5 and older";

/// The sidecar's own container, by KubeVirt's name for it: `hook-sidecar-<N>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerName(String);

impl ContainerName {
    /// `None` for a name KubeVirt would not assign; callers warn about it, unless it is empty.
    pub fn parse(name: &str) -> Option<Self> {
        let number = name.strip_prefix("hook-sidecar-")?;
        let plain = !number.is_empty() && number.len() <= 4 && number.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The links' directory as the sidecar writes it and as the compute container (QEMU) sees it.
///
/// | KubeVirt | sidecar | compute |
/// |---|---|---|
/// | ≥ 1.6 | `<hook dir>/userdata` | `<hook dir>/$CONTAINER_NAME/userdata` |
/// | ≤ 1.5 | `<hook dir>/hook-sidecar-0/userdata` | the same |
/// | ≥ 1.9, without hooks | `<plugin's directory>/userdata` | the same |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where this process makes the links.
    pub links: LinkDir,
    /// The same directory for QEMU.
    pub compute: ComputePath,
    /// Whether the path has the number of our container. KubeVirt numbers the sidecars of a VM at random.
    pub numbered: bool,
}

impl Layout {
    /// The layout that a container name (or its absence) stands for.
    pub fn new(hook_dir: PathBuf, compute_hook_dir: &ComputePath, container: Option<&ContainerName>) -> Self {
        let name = container.map_or(FLAT_CONTAINER, ContainerName::as_str);
        let below: &[&str] = if container.is_some() { &[USERDATA] } else { &[FLAT_CONTAINER, USERDATA] };
        Self {
            links: LinkDir::new(hook_dir, below),
            compute: compute_hook_dir.join(name).join(USERDATA),
            numbered: true,
        }
    }

    /// The layout without hooks. Each plugin has a directory of its own, at the same path in both containers.
    pub fn beside(plugin_socket: &PluginSocket) -> Self {
        let dir = &plugin_socket.dir;
        Self {
            links: LinkDir::new(dir.as_str().into(), &[USERDATA]),
            compute: dir.join(USERDATA),
            numbered: false,
        }
    }
}

/// The socket of KubeVirt's plugin framework, at the path that the `Plugin` object names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginSocket {
    path: PathBuf,
    dir: ComputePath,
}

impl PluginSocket {
    /// An absolute path that the kernel can bind.
    pub(crate) fn parse(text: &str) -> Result<Self, Expected> {
        let path = PathBuf::from(text);
        let dir = path.parent().and_then(Path::to_str).and_then(|dir| ComputePath::directory(dir).ok());
        match dir {
            Some(dir) if path.file_name().is_some() && text.len() <= SOCKET_PATH_MAX => {
                Ok(Self { path, dir })
            }
            _ => Err(Expected("an absolute path without '..' of at most 107 bytes")),
        }
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its directory: `kubevirt-plugin-sockets`, mounted here and in compute.
    pub fn dir(&self) -> &Path {
        Path::new(self.dir.as_str())
    }
}

/// Whether below this root a socket with the usual file name still has a path of [`SOCKET_PATH_MAX`] bytes.
pub(super) fn has_room_for_a_socket(compute_hook_dir: &ComputePath) -> bool {
    const BELOW: usize = "/hook-sidecar-9999/userdata/pod6c270ef2f25/vhost.sock".len();
    compute_hook_dir.as_str().len() + BELOW <= SOCKET_PATH_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kubevirts_container_names_count() {
        for good in ["hook-sidecar-0", "hook-sidecar-12"] {
            assert_eq!(ContainerName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "compute", "hook-sidecar-", "hook-sidecar-x", "hook-sidecar-0/..", "hook-sidecar-+1"]
        {
            assert_eq!(ContainerName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_container_name_stands_for_its_own_part_of_the_volume() {
        let layout = |name| {
            let compute = ComputePath::directory("/c").unwrap();
            let Layout { links, compute, numbered } =
                Layout::new("/h".into(), &compute, ContainerName::parse(name).as_ref());
            assert!(numbered);
            (links.to_string(), compute.to_string())
        };
        let same = |links: &str, compute: &str| (links.to_owned(), compute.to_owned());
        assert_eq!(layout("hook-sidecar-3"), same("/h/userdata", "/c/hook-sidecar-3/userdata"));
        assert_eq!(layout("compute"), same("/h/hook-sidecar-0/userdata", "/c/hook-sidecar-0/userdata"));
    }

    #[test]
    fn without_hooks_the_links_are_beside_the_plugins_socket() {
        let socket = PluginSocket::parse("/var/run/kubevirt-plugin/x/y.sock").unwrap();
        let layout = Layout::beside(&socket);
        assert_eq!(layout.links.to_string(), "/var/run/kubevirt-plugin/x/userdata");
        assert_eq!(layout.compute.as_str(), "/var/run/kubevirt-plugin/x/userdata");
        assert!(!layout.numbered);
        for bad in ["x/y.sock", "/a/../y.sock", "/", "", &format!("/x/{}", "y".repeat(105))] {
            assert_eq!(
                PluginSocket::parse(bad).unwrap_err().to_string(),
                "expected an absolute path without '..' of at most 107 bytes",
                "{bad}"
            );
        }
        assert!(PluginSocket::parse(&format!("/x/{}", "y".repeat(104))).is_ok());
    }

    #[test]
    fn a_socket_path_of_107_bytes_fits() {
        let fits = |length: usize| {
            has_room_for_a_socket(&ComputePath::directory(&format!("/{}", "x".repeat(length - 1))).unwrap())
        };
        assert!(fits(54));
        assert!(!fits(55));
    }
}
