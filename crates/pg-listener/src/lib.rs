//! Waits for notifications of PostgreSQL (`LISTEN`).
//!
//! Diesel can read notifications that have arrived, but it cannot wait for one: it does not expose the socket of its connection. A
//! [`Listener`] is a separate connection of libpq that blocks its thread until a notification arrives.

mod libpq;

pub use libpq::{ListenError, Listener};
