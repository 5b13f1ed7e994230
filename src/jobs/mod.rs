//! What is done after the commit: the outbox is worked off, and what has expired is purged. At least once, idempotent.

mod export;
mod incidents;
mod password_reset;
mod worker;

pub use incidents::IncidentWriter;
pub use worker::Worker;
