//! Failures kept so that they can be sent again: what was asked, what was answered, and by whom.
//!
//! Owns the record of a failure and everything that can be made of one: which exchanges are kept ([`Recorder`]), what is taken out
//! of them ([`Redactor`]), and how a record is sealed ([`RecordCipher`]). What is in a [`Record`] has been redacted: no secret ever
//! enters one. Must not know the server's HTTP stack.

mod exchange;
pub mod export;
pub mod file;
pub mod record;
mod recorder;
mod redaction;
pub mod replay;
pub mod resend;
mod selection;
mod vault;

use sha2::{Digest, Sha256};

pub use exchange::{Exchange, error_site};
pub use record::{Bytes, Principal, Record, Reply, Sent};
pub use recorder::{CaptureLimits, CaptureStats, Inbox, Recorder, Tally};
pub use redaction::{Redacted, Redactor};
pub use selection::{CaptureFilter, InvalidCaptureFilter};
pub use vault::{RecordCipher, Sealed, Unreadable};

/// Equal for equal failures: 24 hexadecimal digits over what [`kind`] says of one.
#[must_use]
pub fn fingerprint(operation: Option<&str>, status: u16, code: Option<&str>, site: &str) -> String {
    let kind = format!("{}\n{status}\n{}\n{site}", operation.unwrap_or_default(), code.unwrap_or_default());
    Sha256::digest(kind).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
