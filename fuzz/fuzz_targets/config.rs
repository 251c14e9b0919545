//! What both targets start the sidecar with.

use network_vhostuser_binding::config::{Layout, NicConfig};
use vocabulary::{ComputePath, QueuePairs, RingSize};

pub fn nics() -> NicConfig {
    let compute = ComputePath::directory("/var/run/kubevirt-hooks").unwrap();
    NicConfig {
        binding_name: None,
        layout: Layout::new("/hooks".into(), &compute, None),
        rx_queue_size: RingSize::MAX,
        tx_queue_size: RingSize::MAX,
        max_queue_pairs: QueuePairs::MAX,
        reconnect_timeout: 1.try_into().unwrap(),
        target_dev: false,
    }
}
