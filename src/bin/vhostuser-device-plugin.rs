//! The device plugin.
fn main() {}
