//! The messages and their templates. Each has a text and an HTML template, which are checked at compile time; the HTML templates
//! escape values.
//!
//! A message to an address that is not verified contains no text that a user has written. Otherwise an attacker could register
//! the address of another person, and send them any message in the name of this service.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use super::{Mail, MailError};

/// The style sheet of the HTML templates: a single element, so that its hash can be allowed in a content security policy.
pub const STYLE: &str = include_str!("templates/layout.css");

/// A message that templates render.
pub trait Message: Sync {
    /// Renders the message for a recipient. `id` identifies it.
    ///
    /// # Errors
    /// Fails if a template fails.
    fn compose(&self, id: String, to: String) -> Result<Mail, MailError>;
}

/// Declares a message with its templates. `mail` refers to the message in the templates and in the expression of the subject.
macro_rules! message {
    (
        $(#[doc = $doc:literal])+
        $name:ident { $($(#[doc = $field_doc:literal])* $field:ident: $type:ty),+ $(,)? }
        $text_path:tt, $html_path:tt, |$mail:ident| $subject:expr
    ) => {
        $(#[doc = $doc])+
        // No `Debug`: messages contain tokens.
        #[derive(Clone)]
        pub struct $name { $($(#[doc = $field_doc])* pub $field: $type),+ }

        impl Message for $name {
            fn compose(&self, id: String, to: String) -> Result<Mail, MailError> {
                #[derive(Template)]
                #[template(path = $text_path)]
                struct Text<'a> {
                    mail: &'a $name,
                }
                #[derive(Template)]
                #[template(path = $html_path)]
                struct Html<'a> {
                    mail: &'a $name,
                    subject: &'a str,
                    style: &'a str,
                }
                let $mail = self;
                let subject: String = $subject;
                let failed = |error: askama::Error| MailError::Failed(error.to_string());
                let html = Html { mail: self, subject: &subject, style: STYLE }.render().map_err(failed)?;
                let text = Text { mail: self }.render().map_err(failed)?;
                Ok(Mail { id, to, subject, text, html })
            }
        }
    };
}

message! {
    /// A token to reset a password.
    PasswordReset {
        /// Public URL of the server.
        url: String,
        token: String,
        /// Lifetime of the token.
        minutes: u64,
    }
    "password_reset.txt", "password_reset.html", |_mail| "Reset your BucketList password".to_owned()
}

message! {
    /// Deprecated operations that the recipient calls.
    DeprecationDigest {
        /// Public URL of the server.
        url: String,
        /// The subject of the sentence "… calls operations that are deprecated".
        consumer: String,
        operations: Vec<DeprecatedUse>,
        /// URL of the migration guide.
        guide: String,
    }
    "deprecation.txt", "deprecation.html", |mail| match mail.operations.as_slice() {
        [only] => format!("{} {} will be removed on {}", only.method, only.path, only.sunset),
        operations => format!("{} operations that you call will be removed", operations.len()),
    }
}

/// A deprecated operation in a digest.
#[derive(Clone, Debug)]
pub struct DeprecatedUse {
    pub method: String,
    pub path: String,
    /// Operation ID.
    pub id: String,
    /// Date of the removal.
    pub sunset: String,
    /// Time until the removal: `1 day`.
    pub days: String,
    /// Number of requests: `1 request`.
    pub requests: String,
    pub last_seen_at: String,
    /// Path template of the successor.
    pub successor: String,
    /// URL of the documentation of the successor.
    pub successor_url: String,
    /// Start and end of each scheduled brownout.
    pub brownouts: Vec<(String, String)>,
}

message! {
    /// A new account.
    Welcome {
        /// Public URL of the server.
        url: String,
    }
    "welcome.txt", "welcome.html", |_mail| "Welcome to BucketList".to_owned()
}

message! {
    /// A changed password.
    PasswordChanged {
        /// Public URL of the server.
        url: String,
        changed_at: String,
        /// Whether it was changed with a token that was sent to the recipient.
        is_reset: bool,
    }
    "password_changed.txt", "password_changed.html", |_mail| "Your BucketList password was changed".to_owned()
}

message! {
    /// A changed email address, to the previous one.
    EmailChanged {
        /// Public URL of the server.
        url: String,
        changed_at: String,
    }
    "email_changed.txt", "email_changed.html", |_mail| "The email address of your BucketList account was changed".to_owned()
}

message! {
    /// A login from an unknown device.
    NewLogin {
        /// Public URL of the server.
        url: String,
        logged_in_at: String,
        /// The program, from a fixed list.
        program: String,
        /// The IP address.
        address: String,
        /// Number of days after which a device is unknown again.
        days: u64,
    }
    "new_login.txt", "new_login.html", |_mail| "New login to your BucketList account".to_owned()
}

message! {
    /// Background jobs that have exhausted their attempts.
    DeadLetterDigest {
        /// Public URL of the server.
        url: String,
        since: String,
        /// Each kind of job, with the number of jobs.
        kinds: Vec<(String, i64)>,
    }
    "dead_letters.txt", "dead_letters.html", |mail| match mail.kinds.iter().map(|(_, count)| count).sum::<i64>() {
        1 => "1 background job has failed".to_owned(),
        count => format!("{count} background jobs have failed"),
    }
}

/// Returns every message with sample data, whose dates are relative to `now`, and its name.
///
/// # Errors
/// Fails if a template fails.
pub fn samples(url: &str, now: DateTime<Utc>) -> Result<Vec<(&'static str, Mail)>, MailError> {
    let url = url.to_owned();
    let text = str::to_owned;
    let date = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let brownout = now + TimeDelta::days(60);
    let operation = DeprecatedUse {
        method: text("GET"),
        path: text("/v1/bucketlists"),
        id: text("listBucketlists"),
        sunset: date(now + TimeDelta::days(90)),
        days: text("90 days"),
        requests: text("1240 requests"),
        last_seen_at: time(now),
        successor: text("/v2/bucketlists"),
        successor_url: format!("{url}/reference/v2/bucketlists#listBucketlists"),
        brownouts: vec![(time(brownout), time(brownout + TimeDelta::hours(1)))],
    };
    let guide = format!("{url}/guides/migrating-to-v2");
    let messages: [(&'static str, &dyn Message); 8] = [
        ("welcome", &Welcome { url: url.clone() }),
        ("password-reset", &PasswordReset { url: url.clone(), token: text("3q2-7wEIhz0Vb8LkX9sT"), minutes: 10 }),
        ("password-changed", &PasswordChanged { url: url.clone(), changed_at: time(now), is_reset: false }),
        ("password-changed-by-reset", &PasswordChanged { url: url.clone(), changed_at: time(now), is_reset: true }),
        ("email-changed", &EmailChanged { url: url.clone(), changed_at: time(now) }),
        (
            "new-login",
            &NewLogin {
                url: url.clone(),
                logged_in_at: time(now),
                program: text("Firefox"),
                address: text("198.51.100.7"),
                days: 90,
            },
        ),
        (
            "deprecation",
            &DeprecationDigest {
                url: url.clone(),
                consumer: text("Your API client Sync"),
                operations: vec![operation],
                guide,
            },
        ),
        (
            "dead-letters",
            &DeadLetterDigest {
                url,
                since: time(now - TimeDelta::days(1)),
                kinds: vec![(text("export"), 1), (text("password_reset_mail"), 3)],
            },
        ),
    ];
    let compose = |(name, message): (&'static str, &dyn Message)| {
        Ok((name, message.compose(name.to_owned(), "ada@example.com".to_owned())?))
    };
    messages.into_iter().map(compose).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let (url, token) = ("https://lists.example".to_owned(), "a<b>&\"c\"".to_owned());
        let mail = PasswordReset { url, token, minutes: 30 }.compose("1".to_owned(), "a@b.c".to_owned()).unwrap();
        assert!(mail.text.contains("\n    a<b>&\"c\"\n"), "{}", mail.text);
        assert!(!mail.html.contains("a<b>") && mail.html.contains("<pre>a&#60;b&#62;"), "{}", mail.html);
    }

    #[test]
    fn messages_are_complete_and_refer_to_no_other_host() {
        let mails = samples("https://lists.example", DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(mails.len(), 8);
        for (name, mail) in mails {
            assert!(
                mail.text.starts_with("Hello,\n\n") && mail.text.ends_with("are not read."),
                "{name}: {}",
                mail.text
            );
            assert!(
                !mail.text.contains("\n\n\n") && !mail.text.contains(['<', '{']) || name == "password-reset",
                "{name}: {}",
                mail.text
            );
            assert!(!mail.subject.is_empty() && mail.subject.len() < 78 && mail.subject.is_ascii(), "{name}");
            assert!(mail.html.contains(&format!("<title>{}</title>", mail.subject)), "{name}");
            assert_eq!((mail.html.matches("<h1>").count(), mail.html.matches("<style>").count()), (1, 1), "{name}");
            for forbidden in ["<img", "<link", "<script", "url(", "@import", "src=", "style=", "http://"] {
                assert!(!mail.html.contains(forbidden), "{name}: {forbidden}");
            }
            for link in mail.html.split("href=\"").skip(1) {
                assert!(link.starts_with("https://lists.example/"), "{name}: {link}");
            }
            // Each value of the text is in the HTML part.
            for word in mail.text.split_whitespace().filter(|word| word.contains(|c: char| c.is_ascii_digit())) {
                let word = word.trim_matches(|c: char| "(),.:".contains(c));
                assert!(mail.html.contains(word), "{name}: {word} is missing");
            }
        }
    }
}
