//! Sends mail by SMTP, or writes it to files if no server is configured. Bodies contain tokens and are never logged.

mod file;
mod smtp;
mod traced;

use std::{fmt, future::Future, pin::Pin};

pub use file::FileMailer;
pub use smtp::SmtpMailer;
pub use traced::TracedMailer;

/// A plain text message.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub body: String,
}

/// Omits the recipient and the body, which may contain a token.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// An error while sending a message. Contains neither the recipient nor the body.
#[derive(Debug, thiserror::Error)]
#[error("cannot send mail: {0}")]
pub struct MailError(pub String);

/// The future of [`Mailer::send`].
pub type SendFuture<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Sends mail.
pub trait Mailer: Send + Sync + 'static {
    /// Sends a message. `Ok` means that the mail server has accepted it.
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a>;
}
