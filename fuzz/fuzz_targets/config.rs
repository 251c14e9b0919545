//! What both targets start the sidecar with.

use network_vhostuser_binding::config::{Layout, NicConfig, NicDefaults};
use vocabulary::ComputePath;

pub fn nics() -> NicConfig {
    let compute = ComputePath::directory("/var/run/kubevirt-hooks").unwrap();
    NicConfig::new(None, Layout::new("/hooks".into(), &compute, None), NicDefaults::default())
}
