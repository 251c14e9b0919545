//! What the device plugin and the CNI plugin share on a node: socket directories and reading configuration.

pub mod atomic_file;
pub mod fields;
pub mod socketdir;
