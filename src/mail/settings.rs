//! Parses the settings of mail, so that errors are reported with the configuration.

use lettre::{Address, message::Mailbox};
use url::Url;

/// The form of the URL of a mail server.
const FORM: &str = "must have the form smtp://USER:PASSWORD@HOST:PORT or smtps://…, with special characters encoded, such as %40 for @";

/// Parses the sender of mail: an email address, with or without a name. Converts its domain to Punycode, because mail servers without
/// SMTPUTF8 accept no other.
///
/// # Errors
/// Returns the problem.
pub fn parse_sender(text: &str) -> Result<Mailbox, &'static str> {
    if text.contains(char::is_control) {
        return Err("must not contain line breaks or other control characters");
    }
    let invalid = "is not an email address, with or without a name, such as BucketList <no-reply@example.com>";
    let Mailbox { name, email } = text.parse().map_err(|_| invalid)?;
    let domain = match email.domain() {
        domain if domain.is_ascii() => domain.to_owned(),
        domain => idna::domain_to_ascii(domain).map_err(|_| invalid)?,
    };
    let email = Address::new(email.user(), domain).map_err(|_| invalid)?;
    Ok(Mailbox { name, email })
}

/// Checks the URL of a mail server.
///
/// # Errors
/// Returns the problem, without the credentials.
pub fn check_smtp_url(text: &str) -> Result<(), String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host());
    let url = url.filter(|url| !text.contains(char::is_control) && url.host_str().is_some_and(|host| !host.is_empty()));
    let Some(url) = url else { return Err(FORM.to_owned()) };
    if !url.username().is_empty() && url.password().is_none() {
        return Err("has a user without a password".to_owned());
    }
    let mut has_tls = false;
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("tls", _) if has_tls => return Err("contains the parameter `tls` twice".to_owned()),
            ("tls", "required" | "opportunistic") => has_tls = true,
            ("tls", _) => return Err("has an invalid value of `tls`; it must be required or opportunistic".to_owned()),
            // Part of a password with a question mark.
            (name, _) if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') => {
                return Err(FORM.to_owned());
            }
            (name, _) => return Err(format!("has the unknown parameter `{name}`; the only one is `tls`")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_of_the_sender_is_converted_to_punycode() {
        for (text, expected) in [
            ("BucketList <no-reply@localhost>", "BucketList <no-reply@localhost>"),
            ("lists@example.com", "lists@example.com"),
            ("Bücher <lists@bücher.example>", "Bücher <lists@xn--bcher-kva.example>"),
        ] {
            let sender = parse_sender(text).unwrap();
            assert_eq!(sender, expected.parse().unwrap(), "{text}");
            assert!(sender.email.domain().is_ascii(), "{text}");
        }
    }

    #[test]
    fn invalid_senders_are_rejected() {
        for text in ["x", "a@", "@b.c", "Name", "a@b.c, d@e.f", "Name <a@b.c", "a@b..c"] {
            assert!(parse_sender(text).unwrap_err().contains("is not an email address"), "{text}");
        }
        for text in ["a@b.c\nBcc: d@e.f", "A\r\nB <a@b.c>", "A\0 <a@b.c>"] {
            assert!(parse_sender(text).unwrap_err().contains("control characters"), "{text:?}");
        }
    }

    #[test]
    fn urls_of_mail_servers_are_checked_without_revealing_the_password() {
        for text in [
            "smtp://localhost",
            "smtp://127.0.0.1:2525",
            "smtps://ada:p%40ss@mail.example.com",
            "smtp://ada:pw@mail.example.com:587?tls=required",
            "smtp://mail.example.com/client.example.com?tls=opportunistic",
        ] {
            assert_eq!(check_smtp_url(text), Ok(()), "{text}");
        }
        for (text, expected) in [
            ("smtp://ada:s3cret@mail.example.com?tsl=required", "unknown parameter `tsl`"),
            ("smtp://ada:s3cret@mail.example.com?tls=on", "invalid value of `tls`"),
            ("smtp://ada:s3cret@mail.example.com?tls=required&tls=required", "`tls` twice"),
            ("smtp://mail.example.com?tls=required&s3cret", "unknown parameter"),
            ("smtp://ada:12?s3cret@mail.example.com", "must have the form"),
            ("smtp://ada:s3cret@", "must have the form"),
            ("http://ada:s3cret@mail.example.com", "must have the form"),
            ("smtp://ada@mail.example.com", "a user without a password"),
            ("mail.example.com", "must have the form"),
        ] {
            let problem = check_smtp_url(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
        assert!(!check_smtp_url("smtp://ada:12?s3cret@mail.example.com").unwrap_err().contains("s3cret"));
    }
}
