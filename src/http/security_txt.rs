//! `/.well-known/security.txt` (RFC 9116): whom to tell about a hole. Only where somebody is named who wants to know.

use std::{fmt::Write as _, sync::Arc};

use chrono::{DateTime, Duration, SecondsFormat};

use crate::{config::Config, domain::Clock};

/// Where it is.
pub(super) const PATH: &str = "/.well-known/security.txt";
pub(super) const MEDIA_TYPE: &str = "text/plain; charset=utf-8";
/// For how many days what it says is good, from the day it is read: the standard asks for less than a year.
const GOOD_FOR: Duration = Duration::days(180);

/// Who is to be told, and where that is written down.
pub(super) struct SecurityTxt {
    contact: String,
    policy: Option<String>,
    canonical: String,
    clock: Arc<dyn Clock>,
}

impl SecurityTxt {
    /// `None` when nobody is named.
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>) -> Option<Self> {
        Some(Self {
            contact: config.security.contact.clone()?,
            policy: config.security.policy.clone(),
            canonical: format!("{}{PATH}", config.public_url),
            clock,
        })
    }

    pub(super) fn text(&self) -> String {
        let today = DateTime::from_timestamp(self.clock.now_seconds(), 0).unwrap_or_default();
        let expires = (today + GOOD_FOR).date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let expires = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut text = format!("Contact: {}\nExpires: {expires}\n", self.contact);
        if let Some(policy) = &self.policy {
            // Writing to a string does not fail.
            let _ = writeln!(text, "Policy: {policy}");
        }
        let _ = write!(text, "Preferred-Languages: en\nCanonical: {}\n", self.canonical);
        text
    }
}
