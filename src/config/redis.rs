//! Parses the settings of Redis.

use std::time::Duration;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{Config, Environment, parse::Reader};
use crate::{
    db::{PostgresUrl, Target},
    redis::{RedisAddress, RedisSettings, SharedSettings},
};

/// Maximum length of `REDIS_PREFIX`.
const MAX_PREFIX: usize = 100;

impl Reader<'_> {
    /// Returns the settings; `None` without a URL. The other variables are checked nevertheless.
    pub(super) fn redis(&mut self, environment: Environment, database: &Target) -> Option<RedisSettings> {
        let timeout = self.duration("REDIS_TIMEOUT");
        if timeout > Duration::from_secs(1) {
            self.invalid("REDIS_TIMEOUT", "must be at most 1s: every request waits for Redis");
        }
        let prefix = match self.given("REDIS_PREFIX") {
            Some(prefix) => prefix.to_owned(),
            None => default_prefix(environment, database),
        };
        if prefix.len() > MAX_PREFIX || prefix.chars().any(|character| character.is_control() || character == ' ') {
            self.invalid("REDIS_PREFIX", format!("must have at most {MAX_PREFIX} bytes, without spaces"));
        }
        let address = match RedisAddress::parse(self.given("REDIS_URL")?) {
            Ok(address) => address,
            Err(problem) => {
                self.invalid("REDIS_URL", problem);
                return None;
            }
        };
        Some(RedisSettings { address, prefix, timeout })
    }
}

/// Returns a prefix that differs between the environments and databases that share Redis, and is the same on all servers of a database.
fn default_prefix(environment: Environment, database: &Target) -> String {
    let name = match database {
        Target::Postgres(url) => {
            PostgresUrl::parse(url).and_then(|url| url.name().map(str::to_owned)).unwrap_or_default()
        }
        // The file is on this host only.
        Target::Sqlite(path) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let host = hostname::get().unwrap_or_default();
            let digest = Sha256::digest(format!("{}:{}", host.to_string_lossy(), path.display()));
            format!("sqlite-{}", hex::encode(&digest[..6]))
        }
    };
    let name = name.chars().map(|character| if character.is_whitespace() { '_' } else { character });
    format!("bucketlist:{}:{}", environment.as_str(), name.take(40).collect::<String>())
}

impl Config {
    /// Returns the settings that all servers of a deployment must share. Secrets are digests, from which they cannot be derived.
    #[must_use]
    pub fn shared_settings(&self, secret: &SecretString) -> SharedSettings {
        let limits = &self.limits;
        let number = |number: u32| number.to_string();
        let seconds = |duration: Duration| duration.as_secs().to_string();
        let mut settings = SharedSettings::from([
            ("APP_ENV".to_owned(), self.environment.as_str().to_owned()),
            ("JWT_SECRET".to_owned(), digest(secret)),
            ("ACCESS_TOKEN_TTL".to_owned(), seconds(self.tokens.access_ttl)),
            ("REFRESH_TOKEN_TTL".to_owned(), seconds(self.tokens.refresh_ttl)),
            ("SESSION_TTL".to_owned(), seconds(self.tokens.session_ttl)),
            ("RATE_LIMIT".to_owned(), limits.rate_limit.to_string()),
            ("RATE_LIMIT_GENERAL".to_owned(), number(limits.general_per_minute)),
            ("RATE_LIMIT_REGISTER".to_owned(), number(limits.register_per_minute)),
            ("RATE_LIMIT_LOGIN".to_owned(), number(limits.login_per_minute)),
            ("RATE_LIMIT_REFRESH".to_owned(), number(limits.refresh_per_minute)),
            ("RATE_LIMIT_PASSWORD_RESET".to_owned(), number(limits.password_reset_per_hour)),
            ("RATE_LIMIT_SEARCH".to_owned(), number(limits.search_per_minute)),
            ("RATE_LIMIT_EXPORTS".to_owned(), number(limits.exports_per_hour)),
            ("RATE_LIMIT_IMPORTS".to_owned(), number(limits.imports_per_hour)),
        ]);
        if let Some(key) = &self.tokens.private_key {
            let digest = Sha256::digest(key.verifying_key().as_bytes());
            settings.insert("JWT_PRIVATE_KEY".to_owned(), hex::encode(&digest[..8]));
        }
        if let Some(key) = &self.incidents.key {
            settings.insert("INCIDENTS_KEY".to_owned(), digest(key));
        }
        settings
    }
}

/// Returns a short digest of a secret, which only serves to compare it.
fn digest(secret: &SecretString) -> String {
    // A key of any length is accepted.
    Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
        .map(|mut mac| {
            mac.update(b"bucketlist settings of servers");
            hex::encode(&mac.finalize().into_bytes()[..8])
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, Variables};

    fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(&pairs.collect::<Variables>())
    }

    #[test]
    fn redis_is_used_only_with_a_url() {
        assert!(config(&[("REDIS_TIMEOUT", "5ms")]).unwrap().redis.is_none());
        let settings = [("REDIS_URL", "rediss://ada:topsecret@cache.example.com"), ("REDIS_TIMEOUT", "5ms")];
        let config = config(&settings).unwrap();
        assert!(!format!("{config:?}").contains("topsecret"));
        let redis = config.redis.unwrap();
        assert_eq!(redis.timeout, Duration::from_millis(5));
        assert!(redis.prefix.starts_with("bucketlist:development:sqlite-"), "{}", redis.prefix);
    }

    #[test]
    fn default_prefix_is_that_of_the_database() {
        let prefix = |url: &str| default_prefix(Environment::Production, &Target::Postgres(url.to_owned()));
        assert_eq!(prefix("postgres://ada:pw@db1/lists"), "bucketlist:production:lists");
        assert_eq!(prefix("postgres://db2:6432/lists?sslmode=require"), prefix("postgres://ada:pw@db1/lists"));
        assert_eq!(prefix("postgres:///?host=/socket&dbname=lists"), prefix("postgres://ada:pw@db1/lists"));
        assert_ne!(prefix("postgres://db1/lists"), prefix("postgres://db1/other"));
    }

    #[test]
    fn invalid_settings_are_reported_without_secrets() {
        for (name, value) in [
            ("REDIS_URL", "http://:topsecret@localhost"),
            ("REDIS_TIMEOUT", "2s"),
            ("REDIS_TIMEOUT", "0"),
            ("REDIS_PREFIX", "two words"),
        ] {
            let ConfigError(invalid) = config(&[(name, value)]).unwrap_err();
            assert_eq!(invalid.iter().map(|variable| variable.name).collect::<Vec<_>>(), [name]);
            assert!(!invalid[0].problem.contains("topsecret"), "{}", invalid[0].problem);
        }
    }

    #[test]
    fn shared_settings_do_not_contain_secrets() {
        let config = config(&[("RATE_LIMIT_LOGIN", "7")]).unwrap();
        let settings = |secret: &str| config.shared_settings(&SecretString::from(secret));
        assert_eq!(settings("one")["RATE_LIMIT_LOGIN"], "7");
        assert_ne!(settings("one")["JWT_SECRET"], settings("two")["JWT_SECRET"]);
        assert_eq!(settings("one")["JWT_SECRET"].len(), 16);
        assert!(!format!("{:?}", settings("topsecret")).contains("topsecret"));
    }
}
