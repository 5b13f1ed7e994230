//! Mail by SMTP.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::{ExposeSecret, SecretString};

use super::{Mail, MailError, Mailer, SendFuture};

/// Hands mail to an SMTP server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// To the server of `url`, as `from`.
    ///
    /// # Errors
    /// When the URL or the sender cannot be understood.
    pub fn new(url: &SecretString, from: &str) -> Result<Self, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| MailError("SMTP_URL cannot be understood".to_owned()))?
            .timeout(Some(std::time::Duration::from_secs(20)))
            .build();
        let from = from.parse().map_err(|_| MailError("MAIL_FROM is no sender such as Name <a@b.c>".to_owned()))?;
        Ok(Self { transport, from })
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async move {
            // An address that SMTP does not take will not get better: say so without repeating it.
            let to = mail.to.parse().map_err(|_| MailError("the recipient is no address for SMTP".to_owned()))?;
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

/// What went wrong, without the server's words: those quote the recipient.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_response() => "the mail server's answer cannot be understood".to_owned(),
        None => error.to_string(),
    }
}
