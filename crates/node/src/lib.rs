//! What the device plugin and the CNI plugin share on a node: socket directories, sandboxes, reading configuration.

pub mod atomic_file;
pub mod fields;
pub mod sandbox;
pub mod socketdir;
