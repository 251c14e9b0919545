//! Input and output on a shared host: files that other programs write, unique names, and output that may have no reader.

pub mod console;
#[cfg(feature = "logging")]
mod log_queue;
#[cfg(feature = "logging")]
pub mod logging;
pub mod look;
pub mod random;
pub mod source_file;
pub mod stderr;
