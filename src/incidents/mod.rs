//! Failures kept so that they can be sent again: what was asked, what was answered, and by whom.
//!
//! Owns the record of a failure and everything that can be made of one. What is in a [`Record`] has been redacted: no secret
//! ever enters one. Must not know the server's HTTP stack.

pub mod export;
pub mod file;
pub mod record;
pub mod replay;
pub mod resend;

pub use record::{Bytes, Principal, Record, Reply, Sent};
