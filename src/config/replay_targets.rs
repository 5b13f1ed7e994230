//! Parses the servers that incidents can be replayed on.

use percent_encoding::percent_decode_str;

use super::{ReplayAdmin, ReplayTarget, parse::VariableParser};

/// Maximum length of a name.
const MAX_NAME: usize = 40;

impl VariableParser<'_> {
    /// Parses `NAME=URL`, separated by commas. The URL can contain the email address and the password of an administrator. Error messages
    /// contain neither the URL nor the password.
    pub(super) fn parse_replay_targets(&mut self, name: &'static str) -> Vec<ReplayTarget> {
        let mut targets: Vec<ReplayTarget> = Vec::new();
        for text in self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let Some((target, url)) = text.split_once('=') else {
                self.add_error(name, "must have the form NAME=URL, such as staging=https://staging.example.com");
                continue;
            };
            if !is_name(target) {
                self.add_error(
                    name,
                    format!("`{target}` is not a name of 1 to {MAX_NAME} lower-case letters, digits and hyphens"),
                );
            } else if targets.iter().any(|other| other.name == target) {
                self.add_error(name, format!("contains `{target}` twice"));
            } else if let Some((url, admin)) = url_and_admin(url) {
                targets.push(ReplayTarget { name: target.to_owned(), url, admin });
            } else {
                self.add_error(
                    name,
                    format!("the URL of `{target}` must have the form https://HOST or https://EMAIL:PASSWORD@HOST, percent-encoded"),
                );
            }
        }
        targets
    }
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Splits a URL into one without credentials and the credentials.
fn url_and_admin(text: &str) -> Option<(String, Option<ReplayAdmin>)> {
    let mut url = url::Url::parse(text).ok()?;
    let is_server = matches!(url.scheme(), "http" | "https") && url.has_host();
    if !is_server || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let admin = match (url.username(), url.password()) {
        ("", None) => None,
        (email, Some(password)) if !email.is_empty() && !password.is_empty() => {
            Some(ReplayAdmin { email: decoded(email)?, password: decoded(password)?.into() })
        }
        _ => return None,
    };
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((url.as_str().trim_end_matches('/').to_owned(), admin))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn credentials_are_separated_from_the_url() {
        let (url, admin) = url_and_admin("https://ops%40example.com:a%3Ab%2C@staging.example.com/api/").expect("valid");
        let admin = admin.expect("credentials");
        assert_eq!(url, "https://staging.example.com/api");
        assert_eq!((admin.email.as_str(), admin.password.expose_secret()), ("ops@example.com", "a:b,"));
        let (url, admin) = url_and_admin("http://localhost:8000").expect("valid");
        assert!(url == "http://localhost:8000" && admin.is_none());
    }

    #[test]
    fn other_urls_are_rejected() {
        for text in [
            "",
            "staging.example.com",
            "ftp://x",
            "file:///etc/passwd",
            "https://x?a=b",
            "https://x#a",
            "https://a@x",
            "https://:b@x",
        ] {
            assert!(url_and_admin(text).is_none(), "{text}");
        }
    }

    #[test]
    fn names_are_short_and_in_lower_case() {
        assert!(is_name("staging-2") && is_name(&"a".repeat(MAX_NAME)));
        for text in ["", "Staging", "a b", "a/b", "ü", &"a".repeat(MAX_NAME + 1)] {
            assert!(!is_name(text), "{text}");
        }
    }
}
