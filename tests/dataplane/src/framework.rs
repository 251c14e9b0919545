//! KubeVirt's plugin framework in a pod: gate `Plugins`, and what a cluster admin has made of it.

/// The plugin's socket, below a pod's directory.
pub const SOCKET: &str = "plugin-sockets/vhostuser/vhostuser.sock";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// The gate is off, or there is no `Plugin` object.
    Off,
    /// There is a `Plugin` object, and none is ours.
    AnotherPlugin,
    /// `manifests/plugin/legacy-sidecar`.
    LegacySidecar,
    /// `manifests/plugin/alone`: a binding without `sidecarImage`.
    Alone,
}

impl Framework {
    pub fn has_hooks(self) -> bool {
        self != Self::Alone
    }

    /// What compute has all of, and the sub-directories that the sidecar is given.
    pub fn volumes(self) -> &'static [&'static str] {
        match self {
            Self::Off => &["hooks", "hooks/hook-sidecar-0"],
            Self::AnotherPlugin => &["hooks", "hooks/hook-sidecar-0", "plugin-sockets"],
            Self::LegacySidecar => {
                &["hooks", "hooks/hook-sidecar-0", "plugin-sockets", "plugin-sockets/vhostuser"]
            }
            Self::Alone => &["plugin-sockets", "plugin-sockets/vhostuser"],
        }
    }
}
