//! OVSDB.
