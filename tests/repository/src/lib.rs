//! The sources of the product, read as Rust: which modules name which, and how long files and functions are.

mod graph;
mod lines;
mod source;

pub use graph::cycles;
pub use lines::{Sizes, function_lengths, product_lines};
pub use source::{Source, crates, is_for_tests, sources};
