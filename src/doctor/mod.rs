//! `doctor`: what is wrong with a node or a pod, where, and what mends it. It changes nothing.
//!
//! ```text
//!  files, /proc, OVSDB, ovs-vswitchd ──► gather (IO) ──► Snapshot ──► check (pure) ──► Report ──► text or JSON
//! ```
//!
//! | module | is |
//! |---|---|
//! | [`finding`] | the findings' words, and a report of them |
//! | [`look`] | every question to the file system |
//! | [`node`] | hugepages, switch, socket root, devices |
//! | [`pod`] | hook directory, network-info, links |

pub mod finding;
pub mod look;
pub mod node;

pub mod pod;
