//! Parses the settings of Redis.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{Environment, parse::VariableParser};
use crate::{
    db::{PostgresUrl, Target},
    redis::{RedisAddress, RedisSettings},
};

/// Maximum length of `REDIS_PREFIX`.
const MAX_PREFIX: usize = 100;

impl VariableParser<'_> {
    /// Returns the settings; `None` without a URL. The other variables are checked in any case.
    pub(super) fn parse_redis(&mut self, environment: Environment, database: &Target) -> Option<RedisSettings> {
        let timeout = self.parse_duration("REDIS_TIMEOUT");
        if timeout > Duration::from_secs(1) {
            self.add_error("REDIS_TIMEOUT", "must be at most 1s: every request waits for Redis");
        }
        let prefix = match self.non_empty("REDIS_PREFIX") {
            Some(prefix) => prefix.to_owned(),
            None => default_prefix(environment, database),
        };
        if prefix.len() > MAX_PREFIX || prefix.chars().any(|character| character.is_control() || character == ' ') {
            self.add_error(
                "REDIS_PREFIX",
                format!("must have at most {MAX_PREFIX} bytes and no spaces or control characters"),
            );
        }
        let address = match RedisAddress::parse(self.non_empty("REDIS_URL")?) {
            Ok(address) => address,
            Err(problem) => {
                self.add_error("REDIS_URL", problem);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigError, Variables};

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
}
