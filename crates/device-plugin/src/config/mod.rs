//! The configuration file: YAML, checked as a whole, with every mistake in one message.

mod check;
mod model;
mod names;
mod read;

use serde_json::Value;

pub use model::{Config, Limits, Ports, Sockets, Switch};
pub use names::{Domain, ResourceName};

use node::fields::Mistakes;

impl Config {
    /// Reads and checks the whole.
    ///
    /// # Errors
    /// Every mistake, with the field's path.
    pub fn parse(yaml: &str) -> Result<Self, Mistakes> {
        let mistakes = Mistakes::default();
        let config = match serde_saphyr::from_str::<Value>(yaml) {
            Ok(value) => read::read(&value, &mistakes),
            Err(error) => {
                mistakes.add("", format_args!("not valid YAML: {error}"));
                None
            }
        };
        mistakes.or(config)
    }
}

#[cfg(test)]
mod tests;
