//! `/.well-known/security.txt` (RFC 9116): the security contact, if one is configured.

use std::{fmt::Write as _, sync::Arc};

use chrono::{DateTime, Duration, SecondsFormat};

use crate::{config::Config, domain::Clock};

pub(super) const PATH: &str = "/.well-known/security.txt";
pub(super) const MEDIA_TYPE: &str = "text/plain; charset=utf-8";
/// Time until the file expires; the RFC recommends less than a year.
const VALID_FOR: Duration = Duration::days(180);

/// Content of the file.
pub(super) struct SecurityTxt {
    contact: String,
    policy: Option<String>,
    /// URLs of the file.
    canonical: Vec<String>,
    clock: Arc<dyn Clock>,
}

impl SecurityTxt {
    /// Creates the file; `None` if no contact is configured.
    pub(super) fn new(config: &Config, clock: Arc<dyn Clock>) -> Option<Self> {
        Some(Self {
            contact: config.security.contact.clone()?,
            policy: config.security.policy.clone(),
            canonical: canonical_urls(config),
            clock,
        })
    }

    pub(super) fn text(&self) -> String {
        let today = DateTime::from_timestamp(self.clock.now_seconds(), 0).unwrap_or_default();
        let expires = (today + VALID_FOR).date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let expires = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut text = format!("Contact: {}\nExpires: {expires}\n", self.contact);
        if let Some(policy) = &self.policy {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "Policy: {policy}");
        }
        text.push_str("Preferred-Languages: en\n");
        for url in &self.canonical {
            let _ = writeln!(text, "Canonical: {url}");
        }
        text
    }
}

/// Returns the URLs of the file: below the base path, and at the root of the host, where RFC 9116 expects it.
fn canonical_urls(config: &Config) -> Vec<String> {
    let mut urls = vec![format!("{}{PATH}", config.public_url)];
    if let Some(host) = config.public_url.strip_suffix(config.base_path()).filter(|host| *host != config.public_url) {
        urls.push(format!("{host}{PATH}"));
    }
    urls
}
