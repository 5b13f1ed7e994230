//! What every bench begins with: a database of its own on each engine, and an app over it.

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
use diesel::connection::SimpleConnection;
use poem::{Endpoint, Request};
use secrecy::SecretString;
use serde_json::{Value, json};

/// The server's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

pub(crate) const SECRET: &str = "the-secret-that-benches-sign-with";

/// A folder with a database of SQLite, and a schema of PostgreSQL; both go with this.
pub(crate) struct Databases {
    folder: tempfile::TempDir,
    server: String,
    schema: String,
    admin: Migrator,
}

impl Databases {
    pub(crate) fn new() -> Self {
        let server = std::env::var("TEST_DATABASE_URL").expect("set TEST_DATABASE_URL, or run `make bench`");
        let mut admin = Migrator::connect(&options(Target::Postgres(server.clone()))).unwrap();
        let schema = format!("bench_{}", std::process::id());
        admin.connection().batch_execute(&format!("CREATE SCHEMA {schema}")).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), server, schema, admin }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn targets(&self) -> [Target; 2] {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        let url = format!("{}{separator}options=-csearch_path%3D{}", self.server, self.schema);
        [Target::Sqlite(self.folder().join("bench.db")), Target::Postgres(url)]
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        self.admin.connection().batch_execute(&format!("DROP SCHEMA {} CASCADE", self.schema)).unwrap();
    }
}

pub(crate) fn options(target: Target) -> Options {
    Options {
        target,
        pool_size: 2,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(60),
    }
}

/// The settings of an app without rate limits, and these.
pub(crate) fn config(folder: &Path, settings: &[(&str, &str)]) -> Config {
    let folder = folder.to_str().unwrap();
    let variables: Variables = [("APP_ENV", "testing"), ("RATE_LIMIT", "off"), ("DATA_DIR", folder)]
        .into_iter()
        .chain(settings.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Config::from_variables(&variables).unwrap()
}

/// The tables and the standard data; gives the connection, for more.
pub(crate) fn prepare(config: &Config) -> Migrator {
    let mut migrator = Migrator::connect(&config.database).unwrap();
    migrator.up().unwrap();
    let hasher = Hasher::new(config.passwords).unwrap();
    seed::insert_standard(migrator.connection(), &hasher, &SystemRandom, SystemClock.now().micros()).unwrap();
    migrator
}

pub(crate) fn app(config: &Config) -> App {
    let mailer = Arc::new(FileMailer::new(config.mail_dir()));
    let parts = Dependencies { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom), mailer };
    App::new(config, &SecretString::from(SECRET), parts).unwrap()
}

/// What `Authorization` says from then on.
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
