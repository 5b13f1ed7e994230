//! Sends mail by SMTP.

use std::{error::Error as _, io, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::Error,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Mail, MailError, Mailer, SendFuture,
    settings::{check_smtp_url, parse_sender},
};

/// Maximum time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum time to send a message, from the connection to the response to its last byte. A mail server that accepts connections and
/// does not respond must not delay other mail.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

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
        let invalid = |name: &str, problem: &str| MailError::Failed(format!("{name} {problem}"));
        check_smtp_url(url.expose_secret()).map_err(|problem| invalid("SMTP_URL", &problem))?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret())
            .map_err(|_| invalid("SMTP_URL", "is invalid"))?
            .timeout(Some(CONNECT_TIMEOUT))
            .build();
        let from = parse_sender(from).map_err(|problem| invalid("MAIL_FROM", problem))?;
        Ok(Self { transport, from })
    }

    /// Connects, negotiates TLS, authenticates and quits, as far as the URL requires.
    ///
    /// # Errors
    /// Fails if a step fails, or if the server does not respond in time.
    pub async fn check(&self, limit: Duration) -> Result<(), MailError> {
        match tokio::time::timeout(limit, self.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(MailError::Failed("the mail server closed the connection".to_owned())),
            Ok(Err(error)) => Err(MailError::Failed(describe(&error))),
            Err(_) => Err(no_response(limit)),
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        // The error does not repeat the address, because errors are logged.
        let to = mail.to.parse().map_err(|_| MailError::Rejected("invalid recipient address".to_owned()))?;
        Message::builder()
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(&mail.subject)
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|error| MailError::Failed(error.to_string()))
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> SendFuture<'a> {
        Box::pin(async move {
            let message = self.message(mail)?;
            match tokio::time::timeout(SEND_TIMEOUT, self.transport.send(message)).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) if needs_smtputf8(mail, &error) => Err(MailError::Rejected(
                    "the recipient address has non-ASCII characters before the @, which the mail server does not support (SMTPUTF8)"
                        .to_owned(),
                )),
                Ok(Err(error)) if is_rejection(&error) => Err(MailError::Rejected(describe(&error))),
                Ok(Err(error)) => Err(MailError::Failed(describe(&error))),
                Err(_) => Err(no_response(SEND_TIMEOUT)),
            }
        })
    }
}

/// The header that prevents automatic replies (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn no_response(limit: Duration) -> MailError {
    MailError::Failed(format!("the mail server did not respond within {} s", limit.as_secs()))
}

/// Returns whether the mail server will never accept the message: the mailbox does not exist, is full or accepts no mail, or the
/// message is too large. Other permanent errors, such as wrong credentials, concern the configuration: after its correction,
/// another attempt succeeds.
fn is_rejection(error: &Error) -> bool {
    let code = error.status().map_or(0, u16::from);
    let is_policy = enhanced_code(error).is_some_and(|code| code.starts_with("5.7."));
    matches!(code, 550 | 551 | 552 | 553 | 556) && !is_policy
}

/// Returns whether the mail server cannot deliver to the recipient, because it does not support SMTPUTF8. The domain of the address is
/// in Punycode, so that only its local part can require that. A sender that requires it concerns the configuration.
fn needs_smtputf8(mail: &Mail, error: &Error) -> bool {
    !mail.to.is_ascii()
        && error.is_client()
        && error.source().is_some_and(|cause| cause.to_string().contains("SMTPUTF8"))
}

/// Returns the enhanced status code (RFC 3463) at the start of the server's response: `5.1.1`.
fn enhanced_code(error: &Error) -> Option<String> {
    let text = error.source()?.to_string();
    let code = text.split_whitespace().next()?;
    let is_code = code.split('.').count() == 3 && code.chars().all(|c| c == '.' || c.is_ascii_digit());
    (is_code && code.len() <= 9).then(|| code.to_owned())
}

/// Describes an error without the text of the mail server, which may quote the recipient.
fn describe(error: &Error) -> String {
    match error.status() {
        Some(code) => {
            let enhanced = enhanced_code(error).map_or_else(String::new, |code| format!(" {code}"));
            format!("the mail server responded with {code}{enhanced}")
        }
        None if error.is_response() => "the mail server sent an invalid response".to_owned(),
        None if let Some(cause) = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()) => {
            // Without the number of the error. A failed lookup of the host has none, and no kind.
            let reason = cause.raw_os_error().map_or_else(|| cause.to_string(), |_| cause.kind().to_string());
            format!("cannot connect: {reason}")
        }
        None => {
            let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
            // The message of an error contains its cause in some versions of the library.
            let text = error.to_string();
            if text.ends_with(&cause) { text } else { format!("{text}{cause}") }
        }
    }
}
