//! The settings that all servers of a database must share.

use std::time::Duration;

use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Config;
use crate::{
    db::Target,
    domain::{RunningServer, SharedSettings},
};

impl Config {
    /// Returns the settings that all servers of a deployment must share. Secrets are replaced by digests.
    #[must_use]
    pub fn shared_settings(&self, secret: &SecretString) -> SharedSettings {
        let (limits, passwords) = (&self.limits, &self.passwords);
        let on_off = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
        let mut settings = SharedSettings::new();
        let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
        set("APP_ENV", self.environment.as_str().to_owned());
        set("JWT_SECRET", digest(secret));
        set("ACCESS_TOKEN_TTL", seconds(self.tokens.access_ttl));
        set("REFRESH_TOKEN_TTL", seconds(self.tokens.refresh_ttl));
        set("SESSION_TTL", seconds(self.tokens.session_ttl));
        set("RATE_LIMIT", on_off(limits.rate_limit));
        for (name, number) in [
            ("RATE_LIMIT_GENERAL", limits.general_per_minute),
            ("RATE_LIMIT_REGISTER", limits.register_per_minute),
            ("RATE_LIMIT_LOGIN", limits.login_per_minute),
            ("RATE_LIMIT_REFRESH", limits.refresh_per_minute),
            ("RATE_LIMIT_PASSWORD_RESET", limits.password_reset_per_hour),
            ("RATE_LIMIT_SEARCH", limits.search_per_minute),
            ("RATE_LIMIT_EXPORTS", limits.exports_per_hour),
            ("RATE_LIMIT_IMPORTS", limits.imports_per_hour),
            ("PASSWORD_HASH_MEMORY_KIB", passwords.memory_kib),
            ("PASSWORD_HASH_PASSES", passwords.passes),
        ] {
            set(name, number.to_string());
        }
        set("PASSWORD_MIN_LENGTH", passwords.min_length.to_string());
        set("PASSWORD_RESET_TTL", seconds(passwords.reset_ttl));
        set("BODY_LIMIT", limits.body_bytes.to_string());
        set("REQUIRE_IF_MATCH", on_off(self.responses.requires_if_match));
        set("GONE_AFTER_SUNSET", on_off(self.responses.gone_after_sunset));
        set("BROWNOUTS", format!("{:?}", self.deprecations.brownouts));
        set("TRUSTED_PROXIES", format!("{:?}", self.trusted_proxies));
        set("PROXY_PROTOCOL", on_off(self.connections.proxy_protocol));
        set("DATABASE_EXCLUSIVE", on_off(self.is_exclusive));
        let previous = &self.tokens.previous_secrets;
        set("JWT_PREVIOUS_SECRETS", previous.iter().map(digest).collect::<Vec<_>>().join(" "));
        let replicas = self.database.replicas.iter().filter_map(|target| match target {
            Target::Postgres(url) => Some(digest(&url.as_str().into())),
            Target::Sqlite(_) => None,
        });
        set("DATABASE_REPLICA_URLS", replicas.collect::<Vec<_>>().join(" "));
        // Otherwise, it is derived from the port, which may differ on one host.
        if self.is_public_url_set {
            set("PUBLIC_URL", self.public_url.clone());
        }
        if let Some(key) = &self.tokens.private_key {
            let digest = Sha256::digest(key.verifying_key().as_bytes());
            set("JWT_PRIVATE_KEY", hex::encode(&digest[..8]));
        }
        if let Some(key) = &self.incidents.key {
            set("INCIDENTS_KEY", digest(key));
        }
        if let Some(redis) = &self.redis {
            set("REDIS_URL", format!("{}/{}", redis.address, redis.address.database()));
            set("REDIS_PREFIX", redis.prefix.clone());
        }
        settings
    }

    /// Returns the settings that servers with the same `REDIS_PREFIX` must share. Servers on PostgreSQL are compared through the database;
    /// Redis is only used to detect another deployment with the same prefix.
    #[must_use]
    pub fn settings_compared_in_redis(&self, secret: &SecretString) -> SharedSettings {
        let mut settings = self.shared_settings(secret);
        match self.database.target {
            Target::Postgres(_) => settings.retain(|name, _| name == "JWT_SECRET"),
            // Another server has a different file.
            Target::Sqlite(_) => {
                settings.remove("REDIS_URL");
            }
        }
        settings
    }

    /// Returns the record of this process that other servers read.
    #[must_use]
    pub fn running_server(&self, secret: &SecretString) -> RunningServer {
        let host = hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let address = if self.port == 0 { host } else { format!("{host}:{}", self.port) };
        RunningServer {
            id: uuid::Uuid::now_v7().simple().to_string(),
            address,
            process: std::process::id(),
            settings: self.shared_settings(secret),
        }
    }

    /// Returns the network in `TRUSTED_PROXIES` that contains every address, if there is one.
    #[must_use]
    pub fn unlimited_proxy_network(&self) -> Option<String> {
        self.trusted_proxies.iter().find(|network| network.prefix_len() == 0).map(ToString::to_string)
    }
}

fn seconds(duration: Duration) -> String {
    duration.as_secs().to_string()
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
    use crate::config::Variables;

    fn config(pairs: &[(&str, &str)]) -> Config {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(&pairs.collect::<Variables>()).unwrap()
    }

    #[test]
    fn shared_settings_do_not_contain_secrets() {
        let config = config(&[
            ("DATABASE_URL", "postgres://ada:topsecret@db1/lists"),
            ("DATABASE_REPLICA_URLS", "postgres://ada:topsecret@db2/lists"),
            ("RATE_LIMIT_LOGIN", "7"),
            ("REDIS_URL", "redis://ada:topsecret@cache:6380/3"),
        ]);
        let settings = |secret: &str| config.shared_settings(&SecretString::from(secret));
        assert_eq!(settings("one")["RATE_LIMIT_LOGIN"], "7");
        assert_ne!(settings("one")["JWT_SECRET"], settings("two")["JWT_SECRET"]);
        assert_eq!(settings("one")["JWT_SECRET"].len(), 16);
        assert_eq!(settings("one")["REDIS_URL"], "redis://cache:6380/3");
        assert!(!format!("{:?}", settings("topsecret")).contains("topsecret"));
        let in_redis = config.settings_compared_in_redis(&SecretString::from("one"));
        assert_eq!(in_redis.keys().collect::<Vec<_>>(), ["JWT_SECRET"]);
    }

    #[test]
    fn every_setting_that_changes_responses_is_compared() {
        let secret = SecretString::from("secret");
        let default = config(&[]).shared_settings(&secret);
        for (name, value) in [
            ("PUBLIC_URL", "https://lists.example.com"),
            ("REQUIRE_IF_MATCH", "on"),
            ("TRUSTED_PROXIES", "10.0.0.1"),
            ("GONE_AFTER_SUNSET", "off"),
            ("PASSWORD_MIN_LENGTH", "20"),
            ("PASSWORD_HASH_PASSES", "5"),
            ("PASSWORD_RESET_TTL", "7m"),
            ("JWT_PREVIOUS_SECRETS", "a-previous-secret-of-more-than-32-characters"),
            ("BODY_LIMIT", "2048"),
        ] {
            let other = config(&[(name, value)]).shared_settings(&secret);
            let found = crate::domain::differences(&default, "other", &other);
            let names: Vec<_> = found.iter().map(|difference| difference.setting.as_str()).collect();
            assert_eq!(names, [name]);
        }
    }

    #[test]
    fn proxy_network_with_every_address_is_found() {
        for (value, expected) in
            [("10.0.0.0/8", None), ("0.0.0.0/0", Some("0.0.0.0/0")), ("10.0.0.1,::/0", Some("::/0"))]
        {
            let found = config(&[("TRUSTED_PROXIES", value)]).unlimited_proxy_network();
            assert_eq!(found.as_deref(), expected, "{value}");
        }
    }
}
