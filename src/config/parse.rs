//! Parses environment variables and collects all errors.

use std::{net::IpAddr, str::FromStr, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use super::{
    Config, ConfigError, Environment, InvalidVariable, Variables,
    variables::{self, Variable},
};
use crate::capture::{CaptureFilter, InvalidCaptureFilter};

/// Minimum length of a secret in characters. HS256 requires a key of at least 32 bytes (RFC 7518, section 3.2).
const MIN_SECRET_LENGTH: usize = 32;
/// Minimum number of different characters in a secret of a deployed server.
const MIN_DISTINCT_CHARACTERS: usize = 10;
/// Substrings that indicate an example value instead of a real secret.
const EXAMPLE_SECRET_PARTS: &[&str] =
    &["change", "secret", "example", "placeholder", "password", "your-", "xxxx", "dummy", "default"];

/// Maximum of a duration: a century, so that timestamps in microseconds do not overflow.
const MAX_DURATION_MILLIS: u64 = 36_525 * 86_400_000;

/// Parses variables and records errors.
pub(super) struct VariableParser<'a> {
    variables: &'a Variables,
    errors: Vec<InvalidVariable>,
}

impl<'a> VariableParser<'a> {
    pub(super) const fn new(variables: &'a Variables) -> Self {
        Self { variables, errors: Vec::new() }
    }

    pub(super) fn finish(self, config: Config) -> Result<Config, ConfigError> {
        if self.errors.is_empty() { Ok(config) } else { Err(ConfigError(self.errors)) }
    }

    /// Records an invalid variable.
    pub(super) fn add_error(&mut self, name: &'static str, problem: impl Into<String>) {
        self.errors.push(InvalidVariable { name, problem: problem.into() });
    }

    /// Returns the value of a variable that is set and not empty.
    pub(super) fn non_empty(&self, name: &str) -> Option<&'a str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn default(name: &str) -> &'static str {
        variables::find(name).map_or("", |variable| variable.default)
    }

    pub(super) fn read_text(&mut self, name: &'static str) -> String {
        self.non_empty(name).unwrap_or_else(|| Self::default(name)).to_owned()
    }

    /// Parses a value. An invalid value is replaced by a fallback, so that the other variables are also checked.
    pub(super) fn parse<T: FromStr + From<Fallback>>(&mut self, name: &'static str, expected: &str) -> T {
        let text = self.read_text(name);
        text.parse().unwrap_or_else(|_| {
            self.add_error(name, format!("`{text}` is not {expected}"));
            T::from(Fallback)
        })
    }

    /// Parses a whole number in the range that the table of variables has for it.
    pub(super) fn parse_integer<T: TryFrom<u64> + Default>(&mut self, name: &'static str) -> T {
        let text = self.read_text(name);
        let (min, max) = variables::find(name).map_or((0, 0), Variable::range);
        let number = text.parse::<u64>().ok().filter(|number| (min..=max).contains(number));
        number.and_then(|number| T::try_from(number).ok()).unwrap_or_else(|| {
            self.add_error(name, format!("`{text}` is not a whole number from {min} to {max}"));
            T::default()
        })
    }

    pub(super) fn parse_boolean(&mut self, name: &'static str) -> bool {
        let spellings = [("on", true), ("true", true), ("1", true), ("off", false), ("false", false), ("0", false)];
        self.parse_choice(name, &spellings)
    }

    pub(super) fn parse_choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> T {
        let text = self.read_text(name).to_ascii_lowercase();
        match choices.iter().find(|(spelling, _)| *spelling == text) {
            Some((_, value)) => *value,
            None => {
                let all: Vec<&str> = choices.iter().map(|(spelling, _)| *spelling).collect();
                self.add_error(name, format!("`{text}` is not one of {}", all.join(", ")));
                choices[0].1
            }
        }
    }

    pub(super) fn parse_optional_choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        self.non_empty(name)?;
        Some(self.parse_choice(name, choices))
    }

    /// Parses `500ms`, `30s`, `15m`, `1h` or `30d`. A number without a unit is invalid.
    pub(super) fn parse_duration(&mut self, name: &'static str) -> Duration {
        self.parse_duration_from(name, 1)
    }

    /// Like [`Self::parse_duration`], but accepts zero.
    pub(super) fn parse_duration_or_zero(&mut self, name: &'static str) -> Duration {
        self.parse_duration_from(name, 0)
    }

    /// Parses zero or a duration of at least `min`.
    pub(super) fn parse_interval_or_zero(&mut self, name: &'static str, min: Duration) -> Duration {
        let errors_before = self.errors.len();
        let interval = self.parse_duration_or_zero(name);
        // Only the first error of a value is reported.
        if self.errors.len() == errors_before && !interval.is_zero() && interval < min {
            let (text, seconds) = (self.read_text(name), min.as_secs());
            self.add_error(name, format!("`{text}` is shorter than {seconds}s; use at least {seconds}s, or 0s"));
        }
        interval
    }

    fn parse_duration_from(&mut self, name: &'static str, min: u64) -> Duration {
        let text = self.read_text(name);
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let millis: Option<u64> = match unit {
            "ms" => Some(1),
            "s" => Some(1_000),
            // Zero needs no unit.
            "" if number == "0" => Some(1),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            "d" => Some(86_400_000),
            _ => None,
        };
        let Some((number, millis)) = number.parse::<u64>().ok().zip(millis) else {
            self.add_error(name, format!("`{text}` is not a duration such as 500ms, 30s, 15m, 1h or 30d"));
            return Duration::from_secs(1);
        };
        match number.checked_mul(millis).filter(|millis| (min..=MAX_DURATION_MILLIS).contains(millis)) {
            Some(millis) => Duration::from_millis(millis),
            None => {
                let min = if min == 0 { "0s" } else { "1ms" };
                self.add_error(name, format!("`{text}` is out of range; use {min} to 36525d"));
                Duration::from_secs(1)
            }
        }
    }

    /// Parses addresses and networks, separated by commas.
    pub(super) fn parse_networks(&mut self, name: &'static str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.add_error(name, format!("`{text}` is not an address or network such as 10.0.0.0/8")),
            }
        }
        networks
    }

    /// Parses origins in the form that browsers send, separated by commas.
    pub(super) fn parse_origins(&mut self, name: &'static str) -> Vec<String> {
        let mut origins = Vec::new();
        for text in self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            // `*` is valid in a host but not supported as a pattern.
            let url = url::Url::parse(text).ok().filter(|_| !text.contains('*'));
            let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
            match url.map(|url| url.origin().ascii_serialization()) {
                Some(origin) if origin == text => origins.push(origin),
                Some(origin) => {
                    self.add_error(name, format!("`{text}` is not in the form that browsers send; use {origin}"))
                }
                None => self.add_error(name, format!("`{text}` is not an origin such as https://app.example.com")),
            }
        }
        origins
    }

    pub(super) fn parse_uri(&mut self, name: &'static str, schemes: &[&str]) -> Option<String> {
        let text = self.non_empty(name)?;
        if url::Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme())) && text.is_ascii() {
            return Some(text.to_owned());
        }
        self.add_error(name, format!("`{text}` is not an ASCII URI that starts with {}:", schemes.join(": or ")));
        None
    }

    /// Parses an `https:` URL. Except in staging and production, `http:` URLs of localhost are also accepted.
    pub(super) fn parse_https_url(&mut self, name: &'static str, environment: Environment) -> Option<String> {
        let text = self.non_empty(name)?;
        let is_allowed = |url: &url::Url| match url.scheme() {
            "https" => true,
            "http" => !environment.is_deployed() && is_local(url),
            _ => false,
        };
        if text.is_ascii() && url::Url::parse(text).is_ok_and(|url| is_allowed(&url)) {
            return Some(text.to_owned());
        }
        let local = if environment.is_deployed() { "" } else { ", or an http: URL of localhost" };
        self.add_error(name, format!("`{text}` is not an https: URL{local}"));
        None
    }

    pub(super) fn parse_secret(&mut self, name: &'static str, environment: Environment) -> Option<SecretString> {
        match self.non_empty(name) {
            Some(secret) => {
                self.check_secret(name, secret, environment);
                Some(secret.to_owned().into())
            }
            None => {
                if environment.is_deployed() {
                    self.add_error(
                        name,
                        format!("must be set in {}; create one with `openssl rand -base64 48`", environment.as_str()),
                    );
                }
                None
            }
        }
    }

    /// Like [`Self::parse_secret`], but optional in every environment.
    pub(super) fn parse_optional_secret(
        &mut self,
        name: &'static str,
        environment: Environment,
    ) -> Option<SecretString> {
        let secret = self.non_empty(name)?;
        self.check_secret(name, secret, environment);
        Some(secret.to_owned().into())
    }

    /// Parses the selection of failures to capture.
    pub(super) fn parse_capture_filter(&mut self, name: &'static str) -> CaptureFilter {
        self.read_text(name).parse().unwrap_or_else(|error: InvalidCaptureFilter| {
            self.add_error(name, error.to_string());
            CaptureFilter::default()
        })
    }

    pub(super) fn parse_secrets(&mut self, name: &'static str, environment: Environment) -> Vec<SecretString> {
        let all = self.non_empty(name).unwrap_or_default();
        let secrets: Vec<&str> = all.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
        for secret in &secrets {
            self.check_secret(name, secret, environment);
        }
        secrets.into_iter().map(|secret| secret.to_owned().into()).collect()
    }

    fn check_secret(&mut self, name: &'static str, secret: &str, environment: Environment) {
        let distinct_characters = secret.chars().collect::<std::collections::BTreeSet<_>>().len();
        let lower = secret.to_ascii_lowercase();
        if secret.chars().count() < MIN_SECRET_LENGTH {
            self.add_error(
                name,
                format!("has fewer than {MIN_SECRET_LENGTH} characters; create one with `openssl rand -base64 48`"),
            );
        } else if environment.is_deployed()
            && (distinct_characters < MIN_DISTINCT_CHARACTERS
                || EXAMPLE_SECRET_PARTS.iter().any(|part| lower.contains(part)))
        {
            self.add_error(
                name,
                format!(
                    "looks like a placeholder, which is not allowed in {}; create one with `openssl rand -base64 48`",
                    environment.as_str()
                ),
            );
        }
    }

    pub(super) fn parse_log_filter(&mut self, name: &'static str) -> String {
        let text = self.read_text(name);
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        // tracing would parse any other text as the name of a module.
        let is_level = text.contains('=') || text.split(',').all(|word| levels.contains(&word.trim()));
        if EnvFilter::builder().parse(&text).is_err() || !is_level {
            self.add_error(name, format!(
                    "`{text}` is not a log level (off, error, warn, info, debug or trace) or a list of directives such as \
                     `info,hyper=warn`"
                ));
        }
        text
    }
}

fn is_local(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The value of an invalid variable until the errors are reported.
pub(super) struct Fallback;

impl From<Fallback> for u16 {
    fn from(_: Fallback) -> Self {
        0
    }
}

impl From<Fallback> for std::net::IpAddr {
    fn from(_: Fallback) -> Self {
        Self::V4(std::net::Ipv4Addr::LOCALHOST)
    }
}
