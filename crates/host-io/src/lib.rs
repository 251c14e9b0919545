//! Input and output on a host that others share: files that somebody else writes, names that nobody else has, and
//! output that nobody may be reading.

pub mod console;
#[cfg(feature = "logging")]
pub mod logging;
pub mod look;
pub mod random;
pub mod source_file;
