//! Waits for PostgreSQL notifications (`LISTEN`/`NOTIFY`).
//!
//! Diesel can read notifications that have arrived, but it cannot wait for one: it does not expose the socket of its connection. A
//! [`Listener`] is a separate libpq connection that blocks its thread until a notification arrives.

mod libpq;

pub use libpq::{ListenError, Listener};
