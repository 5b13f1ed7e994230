use std::time::Duration;

use ed25519_dalek::SigningKey;
use secrecy::ExposeSecret;

use super::*;

fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_variables(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn invalid(pairs: &[(&str, &str)]) -> Vec<&'static str> {
    config(pairs)
        .err()
        .map(|ConfigError(all)| all.into_iter().map(|variable| variable.name).collect())
        .unwrap_or_default()
}

const GOOD_SECRET: &str = "q7Zk2mP9xW4vR8tY1nB6cD3fG5hJ0sLa";

#[test]
fn every_variable_has_a_default_in_development() {
    let config = config(&[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.port, 8000);
    assert_eq!(config.database.target, Target::Sqlite("data/bucketlist.db".into()));
    assert_eq!(config.tokens.access_ttl, Duration::from_secs(900));
    // As OWASP recommends for argon2id with one lane.
    assert_eq!((config.passwords.memory_kib, config.passwords.passes), (19_456, 2));
    assert_eq!((&*config.public_url, config.is_public_url_set), ("http://localhost:8000", false));
    assert_eq!(config.log_format, LogFormat::Pretty);
    assert!(config.tokens.secret.is_none() && config.limits.rate_limit && config.auto_migrate);
}

#[test]
fn metrics_and_the_api_have_separate_ports() {
    let address = ("METRICS_ADDR", "127.0.0.1:9100");
    assert_eq!(invalid(&[address, ("PORT", "9100")]), ["METRICS_ADDR"]);
    assert_eq!(invalid(&[address, ("PORT", "9101")]), [""; 0]);
    // Port 0 is any free port.
    assert_eq!(invalid(&[("METRICS_ADDR", "127.0.0.1:0"), ("PORT", "0")]), [""; 0]);
}

#[test]
fn replicas_require_a_shared_postgresql_database() {
    let primary = ("DATABASE_URL", "postgres://db/lists");
    let replicas = ("DATABASE_REPLICA_URLS", "postgres://ada:pw@db1/lists, postgres://db2,db3/lists");
    let config = config(&[primary, replicas]).unwrap();
    let expected =
        ["postgres://ada:pw@db1/lists", "postgres://db2,db3/lists"].map(|url| Target::Postgres(url.to_owned()));
    assert_eq!(config.database.replicas, expected);
    assert!(!format!("{config:?}").contains("ada:pw"));
    for pairs in [
        &[replicas][..],
        &[primary, replicas, ("DATABASE_EXCLUSIVE", "true")],
        &[primary, ("DATABASE_REPLICA_URLS", "postgres://db/lists")],
        &[primary, ("DATABASE_REPLICA_URLS", "db1,db2")],
        &[primary, ("DATABASE_REPLICA_URLS", "sqlite://lists.db")],
    ] {
        assert_eq!(invalid(pairs), ["DATABASE_REPLICA_URLS"], "{pairs:?}");
    }
}

#[test]
fn guide_has_an_https_url_except_on_this_machine() {
    let with = |environment: &str, url: &str| {
        let all = invalid(&[("APP_ENV", environment), ("JWT_SECRET", GOOD_SECRET), ("DEPRECATION_GUIDE", url)]);
        all.contains(&"DEPRECATION_GUIDE")
    };
    for (url, in_development, in_production) in [
        ("https://example.com/guide", false, false),
        ("http://localhost:8000/guide", false, true),
        ("http://127.0.0.1/guide", false, true),
        ("http://[::1]/guide", false, true),
        ("http://x", true, true),
        ("ftp://example.com/", true, true),
    ] {
        assert_eq!((with("development", url), with("production", url)), (in_development, in_production), "{url}");
    }
}

#[test]
fn interval_of_backups_has_a_minimum() {
    for (interval, is_invalid) in
        [("0s", false), ("0", false), ("20s", true), ("59999ms", true), ("60s", false), ("1d", false)]
    {
        assert_eq!(!invalid(&[("BACKUP_INTERVAL", interval)]).is_empty(), is_invalid, "{interval}");
    }
    // A value has one error.
    for interval in ["1", "-1s", "1s"] {
        assert_eq!(invalid(&[("BACKUP_INTERVAL", interval)]), ["BACKUP_INTERVAL"], "{interval}");
    }
}

#[test]
fn settings_of_mail_are_checked_with_the_others() {
    let invalid = |from: &str, url: &str| invalid(&[("MAIL_FROM", from), ("SMTP_URL", url), ("PORT", "many")]);
    assert_eq!(invalid("lists@example.com", "smtps://mail.example.com"), ["PORT"]);
    assert_eq!(invalid("Lists <lists@bücher.example>", "smtp://mail.example.com?tls=required"), ["PORT"]);
    let mut all = invalid("lists@example.com\nBcc: ada@example.com", "smtp://mail.example.com?tsl=required");
    all.sort_unstable();
    assert_eq!(all, ["MAIL_FROM", "PORT", "SMTP_URL"]);
}

#[test]
fn all_invalid_variables_are_reported_together() {
    let wrong = [
        ("APP_ENV", "prod"),
        ("HOST", "localhost"),
        ("PORT", "99999"),
        ("PUBLIC_URL", "api.example.com"),
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_ACQUIRE_TIMEOUT", "5 parsecs"),
        ("AUTO_MIGRATE", "maybe"),
        ("JWT_SECRET", "short"),
        ("PASSWORD_MIN_LENGTH", "7"),
        ("PASSWORD_HASH_MEMORY_KIB", "64"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, everybody"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.com/"),
        ("RATE_LIMIT", "sometimes"),
        ("BODY_LIMIT", "-1"),
        ("INCIDENTS", "5xx,some"),
        ("INCIDENTS_RATE", "0"),
        ("INCIDENTS_KEY", "short"),
        ("REPLAY_TARGETS", "staging"),
        ("SMTP_URL", "mail.example.com"),
        ("MAIL_FROM", "Lists"),
        ("LOG_LEVEL", "loud"),
    ];
    let found = invalid(&wrong);
    for (name, _) in wrong {
        assert!(found.contains(&name), "{name} in {found:?}");
    }
    assert_eq!(found.len(), wrong.len());
}

#[test]
fn weak_secrets_are_rejected_in_deployed_environments() {
    for environment in ["staging", "production"] {
        for secret in ["", "change-me-change-me-change-me-change-me", &"a".repeat(64), "short"] {
            assert_eq!(
                invalid(&[("APP_ENV", environment), ("JWT_SECRET", secret)]),
                ["JWT_SECRET"],
                "{environment} {secret}"
            );
        }
        assert!(invalid(&[("APP_ENV", environment), ("JWT_SECRET", GOOD_SECRET)]).is_empty());
        assert_eq!(
            invalid(&[("APP_ENV", environment), ("JWT_SECRET", GOOD_SECRET), ("JWT_PREVIOUS_SECRETS", "old")]),
            ["JWT_PREVIOUS_SECRETS"]
        );
    }
}

/// A private key and its public key in PEM format.
fn pem(seed: u8) -> (String, String) {
    use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding};
    let key = SigningKey::from_bytes(&[seed; 32]);
    let private = key.to_pkcs8_pem(LineEnding::LF).unwrap_or_else(|error| panic!("{error}"));
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap_or_else(|error| panic!("{error}"));
    (private.to_string(), public)
}

#[test]
fn keys_are_read_from_text_and_from_files() {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let (private, public) = pem(1);
    let path = directory.path().join("key.pem");
    std::fs::write(&path, &private).unwrap_or_else(|error| panic!("{error}"));
    let previous = format!("{public}, {}", pem(2).1.replace('\n', "\\n"));
    for given in [private.clone(), private.replace('\n', "\\n"), path.display().to_string()] {
        let pairs = [("JWT_ALGORITHM", "EdDSA"), ("JWT_PRIVATE_KEY", &given), ("JWT_PREVIOUS_PUBLIC_KEYS", &previous)];
        let tokens = config(&pairs).unwrap_or_else(|error| panic!("{error}")).tokens;
        assert_eq!(tokens.private_key.map(|key| key.to_bytes()), Some([1; 32]));
        assert_eq!(tokens.previous_public_keys.len(), 2);
    }
    assert!(config(&[]).is_ok_and(|config| config.tokens.private_key.is_none()));
}

#[test]
fn invalid_key_is_reported_without_its_value() {
    let (private, public) = pem(1);
    let broken = private.replace('M', "N");
    for (algorithm, key, previous, wrong) in [
        ("EdDSA", "", "", "JWT_PRIVATE_KEY"),
        ("EdDSA", &*public, "", "JWT_PRIVATE_KEY"),
        ("EdDSA", &*broken, "", "JWT_PRIVATE_KEY"),
        ("EdDSA", "no/such/file.pem", "", "JWT_PRIVATE_KEY"),
        ("HS256", &*private, "", "JWT_PRIVATE_KEY"),
        ("HS256", "", &*private, "JWT_PREVIOUS_PUBLIC_KEYS"),
        ("RS256", "", "", "JWT_ALGORITHM"),
    ] {
        let pairs = [("JWT_ALGORITHM", algorithm), ("JWT_PRIVATE_KEY", key), ("JWT_PREVIOUS_PUBLIC_KEYS", previous)];
        assert_eq!(invalid(&pairs), [wrong], "{algorithm}");
        let message = config(&pairs).err().map(|error| error.to_string()).unwrap_or_default();
        let secret = private.lines().nth(1).unwrap_or_default();
        assert!(!message.contains(secret) && !message.contains("no/such/file.pem"), "{message}");
    }
}

#[test]
fn debug_output_contains_no_secret() {
    let pairs = [("JWT_SECRET", GOOD_SECRET), ("SMTP_URL", "smtp://joe:hunter2hunter2@mail.example.com")];
    let config = config(&pairs).unwrap_or_else(|error| panic!("{error}"));
    let shown = format!("{config:?}");
    assert!(!shown.contains(GOOD_SECRET) && !shown.contains("hunter2"), "{shown}");
    assert_eq!(config.tokens.secret.map(|secret| secret.expose_secret().to_owned()).as_deref(), Some(GOOD_SECRET));
}

#[test]
fn committed_env_example_matches_the_table() {
    assert_eq!(include_str!("../../.env.example"), variables::env_example(), "run `make env-example`");
}

#[test]
fn env_example_is_a_valid_configuration() {
    let variables: Variables =
        dotenvy::from_read_iter(variables::env_example().as_bytes()).filter_map(Result::ok).collect();
    assert_eq!(variables.len(), variables::ALL.len());
    assert!(Config::from_variables(&variables).is_ok());
}

#[test]
fn origins_must_have_the_form_that_browsers_send() {
    let origins = |text| config(&[("CORS_ALLOWED_ORIGINS", text)]).map(|config| config.cors_origins);
    let good = "https://app.example.com, http://localhost:5173,https://xn--zrich-kva.example,";
    let expected = ["https://app.example.com", "http://localhost:5173", "https://xn--zrich-kva.example"];
    assert_eq!(origins(good), Ok(expected.map(str::to_owned).to_vec()));
    for (bad, remedy) in [
        ("https://app.example.com/", "use https://app.example.com"),
        ("https://App.example.com", "use https://app.example.com"),
        ("https://app.example.com:443", "use https://app.example.com"),
        ("https://ada@app.example.com/x", "use https://app.example.com"),
        ("app.example.com", "is not an origin such as"),
        ("*", "is not an origin such as"),
        ("null", "is not an origin such as"),
        ("https://*.example.com", "is not an origin such as"),
    ] {
        let ConfigError(invalid) = origins(bad).expect_err(bad);
        assert!(invalid[0].problem.contains(remedy), "{bad}: {}", invalid[0].problem);
    }
}

#[test]
fn database_url_selects_the_engine() {
    for (url, target) in [
        ("sqlite://x/y.db", Target::Sqlite("x/y.db".into())),
        ("sqlite:///var/y.db", Target::Sqlite("/var/y.db".into())),
        ("postgres://a@b/c", Target::Postgres("postgres://a@b/c".into())),
        ("postgresql://a@b/c", Target::Postgres("postgresql://a@b/c".into())),
    ] {
        let config = config(&[("DATABASE_URL", url)]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.database.target, target);
    }
}
