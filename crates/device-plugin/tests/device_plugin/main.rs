//! The real device plugin against a kubelet stand-in and an OVSDB stand-in, over real sockets, in a mount namespace of
//! its own: each test has an empty `/run` to itself. Needs root; left out for other users.
//!
//! Nothing here can hang: every test, call and exit has a deadline.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod allocating;
mod crashing;
mod ending;
mod health;
mod life;
mod listening;
mod node;
mod ovsdb;
mod own_mounts;
mod placing;
mod plugin;
mod registering;
