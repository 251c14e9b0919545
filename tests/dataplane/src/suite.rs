//! What a test program of this package is made of.

use std::any::Any;
use std::process::ExitCode;

use anyhow::Result;

use crate::node::Stage;
use crate::{inside, machine};

/// A test: its name, and what it does on the node.
pub type Case = (&'static str, fn(&mut Stage<'_>) -> Result<()>);

pub struct Suite {
    pub name: &'static str,
    /// In the order in which they run.
    pub cases: &'static [Case],
    /// Run only when named.
    pub on_demand: &'static [Case],
    /// Whether cases boot guests: they need memory and a kernel of their own.
    pub guests: bool,
    /// Made when the switch runs, and kept until all cases have run.
    pub beside: fn() -> Result<Box<dyn Any>>,
}

impl Suite {
    /// The program's main function, outside the node and, started again by itself, inside.
    pub fn main(&self) -> ExitCode {
        let mut arguments: Vec<String> = std::env::args().skip(1).collect();
        if arguments.first().is_some_and(|argument| argument == "--inside") {
            arguments.remove(0);
            return inside::run(self, &arguments);
        }
        arguments.retain(|argument| !argument.starts_with('-'));
        machine::run(self, &arguments)
    }
}
