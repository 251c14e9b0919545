//! Values as OVSDB writes them in JSON (RFC 7047, section 5.1): a set of one is the one, other sets are
//! `["set", […]]`, maps `["map", [[key, value], …]]`, references `["uuid", "…"]`.

mod datum;
mod reference;
mod row;

pub use datum::Datum;
pub use reference::{Named, Uuid};
pub use row::{Row, ValueError};
