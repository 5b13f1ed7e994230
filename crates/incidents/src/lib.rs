//! Incidents: the record of a failed request, its file format, redaction, export and replay.
//!
//! A record never contains sensitive data: [`Redactor`] masks it before an [`Exchange`] becomes a [`Record`]. This crate knows the
//! contract documents. It does not know the HTTP stack or the database: capture and storage are the server's.

mod exchange;
pub mod export;
pub mod file;
pub mod record;
mod redaction;
pub mod replay;
pub mod resend;

use sha2::{Digest, Sha256};

pub use exchange::Exchange;
pub use record::{Bytes, Principal, Record, Reply, Sent};
pub use redaction::{CommonPasswords, Redacted, Redactor};

/// Returns the fingerprint of a failure: 24 hexadecimal digits, equal for failures of the same operation, status, code and site.
#[must_use]
pub fn fingerprint(operation: Option<&str>, status: u16, code: Option<&str>, site: &str) -> String {
    let kind = format!("{}\n{status}\n{}\n{site}", operation.unwrap_or_default(), code.unwrap_or_default());
    Sha256::digest(kind).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
