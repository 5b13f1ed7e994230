//! Incidents: the record of a failed request, its file format, redaction, export and replay.
//!
//! An [`Exchange`] is a request with its response as the server saw them, sensitive data included. [`Redactor`] masks that data
//! and returns an [`IncidentRecord`], which can be stored, exported ([`export`]) and sent again ([`replay`]).
//!
//! This crate knows the contract documents. It does not know the HTTP stack or the database: capture and storage belong to the
//! server.

mod exchange;
pub mod export;
pub mod file;
pub mod record;
mod redaction;
pub mod replay;
pub mod resend;

use sha2::{Digest, Sha256};

pub use exchange::Exchange;
pub use record::{
    CapturedApiClient, CapturedBody, CapturedRequest, CapturedResponse, ContractVersion, IncidentRecord, Principal,
    PrincipalRole,
};
pub use redaction::{CommonPasswords, RedactedIncident, Redactor};

/// Number of bytes of the digest that a fingerprint shows.
const FINGERPRINT_BYTES: usize = 12;

/// Returns the fingerprint of a failure: 24 hexadecimal digits that are equal for the same operation, status, code and site.
#[must_use]
pub fn fingerprint(operation: Option<&str>, status: u16, code: Option<&str>, site: &str) -> String {
    let failure = format!("{}\n{status}\n{}\n{site}", operation.unwrap_or_default(), code.unwrap_or_default());
    hex::encode(&Sha256::digest(failure)[..FINGERPRINT_BYTES])
}
