//! Sends mail by SMTP, or writes it to files if no server is configured. Messages contain tokens and are never logged.

mod file;
pub mod settings;
mod smtp;
pub mod templates;
mod traced;

use std::{fmt, future::Future, pin::Pin};

pub use file::FileMailer;
pub use smtp::SmtpMailer;
pub use traced::TracedMailer;

/// A message as text and as HTML.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Identifies the message. Repeated attempts to send it have the same ID, so that mail servers can recognize duplicates.
    pub id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Omits the recipient and the content, which may contain a token.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// An error while sending a message. Contains neither the recipient nor the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Another attempt may succeed.
    #[error("cannot send mail: {0}")]
    Failed(String),
    /// The mail server does not accept the message or its recipient, and will not accept them later.
    #[error("mail rejected: {0}")]
    Rejected(String),
}

/// The future of [`Mailer::send`].
pub type SendFuture<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// Sends mail.
pub trait Mailer: Send + Sync + 'static {
    /// Sends a message. `Ok` means that the mail server has accepted it.
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a>;
}
