//! A small OVSDB client (RFC 7047 over a unix socket) and what this project reads and writes with it.
//!
//! Blocking, and every connection has one deadline for all it does: a server that is stopped or hangs costs that
//! time and gives a clear error.
//!
//! | module | is |
//! |---|---|
//! | `stream` | a unix socket whose connecting, reading and writing end at the deadline |
//! | `frames` | JSON values out of a stream of bytes |
//! | `rpc` | one question, one answer; the server's `echo` |
//! | [`value`] | atoms, sets, maps and rows |
//! | [`operation`] | the operations of a transaction |
//! | [`rows`] | the columns of Open vSwitch's tables that are read here |
//! | [`places`] | on which bridge an interface is |
//! | [`control`] | ovs-vswitchd's control socket |
//! | [`judge`] | whether a switch can take a port, and why not |
//! | [`port`] | a port of ours as it is wanted, and making it |
//! | [`ours`] | what carries our marks, and taking it away |
//! | [`bridge`] | what the device plugin asks |

pub mod bridge;
mod client;
pub mod control;
mod error;
mod frames;
pub mod judge;
pub mod operation;
pub mod ours;
pub mod places;
pub mod port;
pub mod rows;
mod rpc;
mod stream;
pub mod value;

pub use bridge::{BridgeState, bridge_state};
pub use client::{Answers, Client, DATABASE};
pub use error::OvsdbError;
pub use judge::Obstacle;
