//! The vocabulary: small values that are valid by construction. It depends on nothing of ours: no KubeVirt, no XML,
//! no I/O.

mod device;
pub mod device_info;
mod digest;
mod expected;
mod host;
mod mac;
pub mod marks;
mod mode;
mod mtu;
mod name;
mod path;
mod pci;
mod queues;
mod quoted;
mod reconnect;

pub use device::{DeviceId, DeviceIdError, POD_DIR, SOCKET_FILE};
pub use digest::short_digest;
pub use expected::Expected;
pub use host::HostDir;
pub use mac::{MacAddr, MacError};
pub use mode::{SocketMode, UnknownMode};
pub use mtu::{Mtu, MtuError};
pub use name::{NameError, NetworkName};
pub use path::{ComputePath, PathError, SOCKET_PATH_MAX, SocketPath};
pub use pci::{PciAddress, PciAddressError};
pub use queues::{DPDK_MAX_QUEUE_PAIRS, QueuePairs, RingSize};
pub use quoted::Quoted;
pub use reconnect::ReconnectTimeout;
