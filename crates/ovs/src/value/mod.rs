//! Values as OVSDB has them (RFC 7047, section 5.1): atoms, sets of them, maps, and rows of these.

mod atom;
mod datum;
mod row;

pub use atom::{Atom, FromAtom, Uuid};
pub use datum::Datum;
pub use row::{Row, ValueError};
