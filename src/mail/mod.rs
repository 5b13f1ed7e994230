//! Mail: SMTP where a server is set, else a file in the data folder. Bodies carry secrets and are never logged.

mod file;
mod smtp;

use std::{fmt, future::Future, pin::Pin};

pub use file::FileMailer;
pub use smtp::SmtpMailer;

/// A mail of plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub body: String,
}

/// The body may carry a token.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// What kept a mail from being handed over. Holds no address and no body.
#[derive(Debug, thiserror::Error)]
#[error("the mail could not be handed over: {0}")]
pub struct MailError(pub String);

/// A future that a trait object can return.
pub type SendFuture<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Hands mail over.
pub trait Mailer: Send + Sync + 'static {
    /// Hands one mail over; it counts as sent when this returns `Ok`.
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a>;
}
