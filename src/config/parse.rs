//! Parses variables one by one and collects the invalid ones.

use std::{net::IpAddr, str::FromStr, time::Duration};

use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use super::{Config, ConfigError, Environment, InvalidVariable, Variables, variables};
use crate::capture::{CaptureFilter, InvalidCaptureFilter};

/// Minimum length of a secret. 32 characters carry enough entropy for HS256.
const MIN_SECRET: usize = 32;
/// Parts of placeholders that were not replaced by a secret.
const PLACEHOLDERS: &[&str] =
    &["change", "secret", "example", "placeholder", "password", "your-", "xxxx", "dummy", "default"];

pub(super) struct Reader<'a> {
    variables: &'a Variables,
    invalid: Vec<InvalidVariable>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(variables: &'a Variables) -> Self {
        Self { variables, invalid: Vec::new() }
    }

    pub(super) fn finish(self, config: Config) -> Result<Config, ConfigError> {
        if self.invalid.is_empty() { Ok(config) } else { Err(ConfigError(self.invalid)) }
    }

    /// Records an invalid variable.
    pub(super) fn invalid(&mut self, name: &'static str, problem: impl Into<String>) {
        self.invalid.push(InvalidVariable { name, problem: problem.into() });
    }

    /// Returns the value of a variable that is set and not empty.
    pub(super) fn non_empty(&self, name: &str) -> Option<&'a str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn default(name: &str) -> &'static str {
        variables::find(name).map_or("", |variable| variable.default)
    }

    pub(super) fn text(&mut self, name: &'static str) -> String {
        self.non_empty(name).unwrap_or_else(|| Self::default(name)).to_owned()
    }

    /// Parses a value. An invalid value is replaced by a fallback, so that the other variables are also checked.
    pub(super) fn parsed<T: FromStr + From<Fallback>>(&mut self, name: &'static str, expected: &str) -> T {
        let text = self.text(name);
        text.parse().unwrap_or_else(|_| {
            self.invalid(name, format!("`{text}` is not {expected}"));
            T::from(Fallback)
        })
    }

    pub(super) fn bounded<T>(&mut self, name: &'static str, min: T, max: T) -> T
    where
        T: FromStr + PartialOrd + Copy + std::fmt::Display,
    {
        let text = self.text(name);
        match text.parse() {
            Ok(value) if value >= min && value <= max => value,
            _ => {
                self.invalid(name, format!("`{text}` is not a whole number from {min} to {max}"));
                min
            }
        }
    }

    pub(super) fn boolean(&mut self, name: &'static str) -> bool {
        let yes_no = [("on", true), ("true", true), ("1", true), ("off", false), ("false", false), ("0", false)];
        self.choice(name, &yes_no)
    }

    pub(super) fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> T {
        let text = self.text(name).to_ascii_lowercase();
        match choices.iter().find(|(spelling, _)| *spelling == text) {
            Some((_, value)) => *value,
            None => {
                let all: Vec<&str> = choices.iter().map(|(spelling, _)| *spelling).collect();
                self.invalid(name, format!("`{text}` is not one of {}", all.join(", ")));
                choices[0].1
            }
        }
    }

    pub(super) fn optional_choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        self.non_empty(name)?;
        Some(self.choice(name, choices))
    }

    /// Parses `500ms`, `30s`, `15m`, `1h` or `30d`. A number without a unit is invalid.
    pub(super) fn duration(&mut self, name: &'static str) -> Duration {
        self.duration_from(name, 1)
    }

    /// Like [`Self::duration`], but accepts zero.
    pub(super) fn duration_or_zero(&mut self, name: &'static str) -> Duration {
        self.duration_from(name, 0)
    }

    /// Like [`Self::duration_or_zero`], but other durations are at least `min`.
    pub(super) fn interval_or_zero(&mut self, name: &'static str, min: Duration) -> Duration {
        let invalid = self.invalid.len();
        let interval = self.duration_or_zero(name);
        // Only the first error of a value is reported.
        if self.invalid.len() == invalid && !interval.is_zero() && interval < min {
            let (text, seconds) = (self.text(name), min.as_secs());
            self.invalid(
                name,
                format!("`{text}` is shorter than {seconds}s; use at least {seconds}s, or 0s to disable it"),
            );
        }
        interval
    }

    fn duration_from(&mut self, name: &'static str, min: u64) -> Duration {
        let text = self.text(name);
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
        let value = number.parse::<u64>().ok().zip(millis).and_then(|(number, millis)| number.checked_mul(millis));
        // At most a century, so that timestamps in microseconds do not overflow.
        match value.filter(|millis| (min..=3_155_760_000_000).contains(millis)) {
            Some(millis) => Duration::from_millis(millis),
            None => {
                self.invalid(name, format!("`{text}` is not a duration such as 500ms, 30s, 15m, 1h or 30d"));
                Duration::from_secs(1)
            }
        }
    }

    /// Parses addresses and networks, separated by commas.
    pub(super) fn networks(&mut self, name: &'static str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.invalid(name, format!("`{text}` is not an address or network such as 10.0.0.0/8")),
            }
        }
        networks
    }

    /// Parses origins in the form that browsers send, separated by commas.
    pub(super) fn origins(&mut self, name: &'static str) -> Vec<String> {
        let mut origins = Vec::new();
        for text in self.non_empty(name).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty()) {
            // `*` is valid in a host but not supported as a pattern.
            let url = url::Url::parse(text).ok().filter(|_| !text.contains('*'));
            let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
            match url.map(|url| url.origin().ascii_serialization()) {
                Some(origin) if origin == text => origins.push(origin),
                Some(origin) => {
                    self.invalid(name, format!("`{text}` is not in the form that browsers send; use {origin}"))
                }
                None => self.invalid(name, format!("`{text}` is not an origin such as https://app.example.com")),
            }
        }
        origins
    }

    pub(super) fn uri(&mut self, name: &'static str, schemes: &[&str]) -> Option<String> {
        let text = self.non_empty(name)?;
        if url::Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme())) && text.is_ascii() {
            return Some(text.to_owned());
        }
        self.invalid(name, format!("`{text}` is not a URI that starts with {}:", schemes.join(": or ")));
        None
    }

    /// Parses an `https:` URL. Outside of exposed environments, it can also be an `http:` URL of this machine.
    pub(super) fn https_url(&mut self, name: &'static str, environment: Environment) -> Option<String> {
        let text = self.non_empty(name)?;
        let is_allowed = |url: &url::Url| match url.scheme() {
            "https" => true,
            "http" => !environment.is_exposed() && is_local(url),
            _ => false,
        };
        if text.is_ascii() && url::Url::parse(text).is_ok_and(|url| is_allowed(&url)) {
            return Some(text.to_owned());
        }
        let local = if environment.is_exposed() { "" } else { ", or an http: URL of localhost" };
        self.invalid(name, format!("`{text}` is not an https: URL{local}"));
        None
    }

    pub(super) fn secret(&mut self, name: &'static str, environment: Environment) -> Option<SecretString> {
        match self.non_empty(name) {
            Some(secret) => {
                self.check_secret(name, secret, environment);
                Some(secret.to_owned().into())
            }
            None => {
                if environment.is_exposed() {
                    self.invalid(
                        name,
                        format!("must be set in {}; create one with `openssl rand -base64 48`", environment.as_str()),
                    );
                }
                None
            }
        }
    }

    /// Like [`Self::secret`], but optional in every environment.
    pub(super) fn optional_secret(&mut self, name: &'static str, environment: Environment) -> Option<SecretString> {
        let secret = self.non_empty(name)?;
        self.check_secret(name, secret, environment);
        Some(secret.to_owned().into())
    }

    /// Parses the selection of failures to capture.
    pub(super) fn capture_filter(&mut self, name: &'static str) -> CaptureFilter {
        self.text(name).parse().unwrap_or_else(|error: InvalidCaptureFilter| {
            self.invalid(name, error.to_string());
            CaptureFilter::default()
        })
    }

    pub(super) fn secrets(&mut self, name: &'static str, environment: Environment) -> Vec<SecretString> {
        let all = self.non_empty(name).unwrap_or_default();
        let secrets: Vec<&str> = all.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
        for secret in &secrets {
            self.check_secret(name, secret, environment);
        }
        secrets.into_iter().map(|secret| secret.to_owned().into()).collect()
    }

    fn check_secret(&mut self, name: &'static str, secret: &str, environment: Environment) {
        let different = secret.chars().collect::<std::collections::BTreeSet<_>>().len();
        let lower = secret.to_ascii_lowercase();
        if secret.chars().count() < MIN_SECRET {
            self.invalid(
                name,
                format!("has fewer than {MIN_SECRET} characters; create one with `openssl rand -base64 48`"),
            );
        } else if environment.is_exposed()
            && (different < 10 || PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder)))
        {
            self.invalid(
                name,
                format!(
                    "looks like a placeholder, which is not allowed in {}; create one with `openssl rand -base64 48`",
                    environment.as_str()
                ),
            );
        }
    }

    pub(super) fn log_level(&mut self, name: &'static str) -> String {
        let text = self.text(name);
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        // tracing would parse any other text as the name of a module.
        let is_level = text.contains('=') || text.split(',').all(|word| levels.contains(&word.trim()));
        if EnvFilter::builder().parse(&text).is_err() || !is_level {
            self.invalid(name, format!("`{text}` is not error, warn, info, debug, trace or a list of directives"));
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
