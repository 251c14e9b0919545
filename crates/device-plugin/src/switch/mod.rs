//! The switch (Open vSwitch): what its database says, and whether it can take a port.

pub(crate) mod database;
pub(crate) mod judgement;
mod look;
pub(crate) mod port;

pub(crate) use look::look;
