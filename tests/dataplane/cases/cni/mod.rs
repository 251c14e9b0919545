//! The CNI plugin against the real switch, called as a runtime calls it: variables, standard input, one answer.
//!
//! ```text
//! call      one call of the binary, and what it answered
//! lab       devices, the switch's tables, and clearing up
//! pool      an IPAM plugin, and whom it has given an address
//! proxy     between the plugin and ovsdb-server: counts, kills, swallows
//! ```
//!
//! The rest are cases. Each compares the switch's tables as a whole, with the rows' ids: what is not the plugin's must
//! be the very same row afterwards.

mod call;
pub(super) mod client;
pub(super) mod crash;
pub(super) mod crowd;
pub(super) mod ipam;
mod lab;
pub(super) mod measure;
pub(super) mod outage;
mod pool;
mod proxy;
pub(super) mod removal;
pub(super) mod settings;
pub(super) mod states;
pub(super) mod steps;
pub(super) mod taken;
pub(super) mod transactions;
pub(super) mod versions;
