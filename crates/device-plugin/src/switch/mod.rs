//! The switch (Open vSwitch): what its database says, and the regular look at it.

pub(crate) mod database;
mod look;
pub(crate) mod port;

pub(crate) use look::look;
