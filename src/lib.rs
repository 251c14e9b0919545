//! placeholder
pub mod attachment;
pub mod config;
pub mod domain;
pub mod downwardapi;
pub mod dra;
pub mod plan;
mod random;
pub mod settings;
mod source_file;
pub mod symlink;
pub mod vhostuser;
pub mod vmi;
