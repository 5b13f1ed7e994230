//! What is done after the commit: the outbox is worked off, and what has expired is purged. At least once, idempotent.

mod password_reset;
mod worker;

pub use worker::Worker;

/// The job that mails a reset token; its payload is the email address in lower case.
pub const PASSWORD_RESET_MAIL: &str = "password_reset_mail";
