//! Sends mail by SMTP.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::{ExposeSecret, SecretString};

use super::{Mail, MailError, Mailer, SendFuture};

/// Sends mail through an SMTP server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// Sends through the server at `url`, with the sender `from`.
    ///
    /// # Errors
    /// Fails if the URL or the sender is invalid.
    pub fn new(url: &SecretString, from: &str) -> Result<Self, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| MailError("invalid SMTP_URL".to_owned()))?
            .timeout(Some(std::time::Duration::from_secs(20)))
            .build();
        let from = from.parse().map_err(|_| MailError("invalid MAIL_FROM; the format is Name <a@b.c>".to_owned()))?;
        Ok(Self { transport, from })
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async move {
            // The error does not repeat the address, because errors are logged.
            let to = mail.to.parse().map_err(|_| MailError("invalid recipient address".to_owned()))?;
            let message = Message::builder()
                .from(self.from.clone())
                .to(Mailbox::new(None, to))
                .subject(&mail.subject)
                .header(ContentType::TEXT_PLAIN)
                .body(mail.body.clone())
                .map_err(|error| MailError(error.to_string()))?;
            self.transport.send(message).await.map(drop).map_err(|error| MailError(describe(&error)))
        })
    }
}

/// Describes an error without the text of the mail server, which may quote the recipient.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server responded with {code}"),
        None if error.is_response() => "the mail server sent an invalid response".to_owned(),
        None => error.to_string(),
    }
}
