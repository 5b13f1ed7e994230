//! Shared setup of the benchmarks: a temporary database on each engine and an app on it.

use std::{path::Path, sync::Arc, time::Duration};

use bucketlist::{
    app::{App, Dependencies},
    auth::Hasher,
    config::{Config, Variables},
    db::{Options, Target, migrations::Migrator},
    domain::{Clock, SystemClock, SystemRandom},
    mail::FileMailer,
    seed,
};
use poem::{Endpoint, Request};
use secrecy::SecretString;
use serde_json::{Value, json};

#[path = "../../tests/support/engine.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the tests")]
mod engine;

use engine::PostgresSchema;

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub(crate) const SECRET: &str = "the-secret-that-benches-sign-with";

/// A temporary directory with an SQLite database, and a PostgreSQL schema. Both are deleted when this is dropped.
pub(crate) struct Databases {
    folder: tempfile::TempDir,
    schema: PostgresSchema,
}

impl Databases {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), schema: PostgresSchema::create("bench") }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn targets(&self) -> [Target; 2] {
        [Target::Sqlite(self.folder().join("bench.db")), Target::Postgres(self.schema.url.clone())]
    }
}

pub(crate) fn options(target: Target) -> Options {
    let minute = Duration::from_secs(60);
    Options { statement_timeout: minute, transaction_timeout: minute, ..Options::new(target, 2) }
}

/// Returns the configuration of an app without rate limits and with these settings.
pub(crate) fn config(folder: &Path, settings: &[(&str, &str)]) -> Config {
    let folder = folder.to_str().unwrap();
    let variables: Variables = [("APP_ENV", "testing"), ("RATE_LIMIT", "off"), ("DATA_DIR", folder)]
        .into_iter()
        .chain(settings.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Config::from_variables(&variables).unwrap()
}

/// Runs the migrations and inserts the standard seed; returns the connection.
pub(crate) fn prepare(config: &Config) -> Migrator {
    let mut migrator = Migrator::connect(&config.database).unwrap();
    migrator.up().unwrap();
    let hasher = Hasher::new(config.passwords).unwrap();
    let now = SystemClock.now();
    seed::insert_standard(migrator.connection(), &hasher, &SystemRandom, config.public_host(), now).unwrap();
    migrator
}

pub(crate) fn app(config: &Config) -> App {
    let mailer = Arc::new(FileMailer::new(config.mail_dir()));
    let parts = Dependencies { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), mailer };
    App::new(config, &SecretString::from(SECRET), parts).unwrap()
}

/// Logs in and returns the value of the `Authorization` header.
pub(crate) async fn log_in(app: &App, email: &str, password: &str) -> String {
    let request = Request::builder()
        .method(poem::http::Method::POST)
        .uri_str("/v1/auth/login")
        .content_type("application/json")
        .body(json!({"email": email, "password": password}).to_string());
    let response = app.endpoint.call(request).await.unwrap();
    let session: Value = serde_json::from_slice(&response.into_body().into_bytes().await.unwrap()).unwrap();
    format!("Bearer {}", session["access_token"].as_str().unwrap())
}
