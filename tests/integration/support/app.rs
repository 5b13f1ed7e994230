//! A whole app in process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bucketlist::{
    app::{App, Dependencies},
    config::{Config, Variables},
    db::{DbError, repositories::users::update_access},
    domain::{Clock, ManualClock, Role, SystemRandom, Timestamp, UserId},
};
use poem::{Endpoint, Request, Response};
use secrecy::SecretString;

use super::{Actor, Database, Engine, MemoryMailer, json};

/// The secret test apps sign with.
pub const SECRET: &str = "the-secret-that-test-apps-sign-with";

/// When a test begins, in microseconds: 2027-01-15T08:00:00Z.
pub const START: i64 = 1_800_000_000_000_000;

/// A whole app with its database, a clock that is moved by hand and mail that is kept.
pub struct TestApp {
    pub app: App,
    pub database: Database,
    pub clock: Arc<ManualClock>,
    pub mailer: Arc<MemoryMailer>,
    pub config: Config,
    names: AtomicU64,
}

impl TestApp {
    /// On a database of its own, with the settings of tests.
    pub async fn new(engine: Engine) -> Self {
        Self::configured(engine, |_| {}).await
    }

    /// As [`Self::on`], with settings of the test's own.
    pub async fn configured(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        Self::over(Database::new(engine), change).await
    }

    /// Over a database that the test has prepared.
    pub async fn over(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let variables: Variables =
            [("APP_ENV", "testing"), ("RATE_LIMIT", "off"), ("PUBLIC_URL", "http://test.example")]
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
        let mut config = Config::from_variables(&variables).unwrap();
        config.database = database.options();
        config.data_dir = database.folder.path().to_owned();
        // The cheapest hash: what it costs is not what these tests are about.
        config.passwords.memory_kib = 8;
        config.passwords.passes = 1;
        change(&mut config);
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(START)));
        let mailer = Arc::new(MemoryMailer::default());
        let parts = Dependencies { clock: clock.clone(), random: Arc::new(SystemRandom), mailer: mailer.clone() };
        let app = App::new(&config, &SecretString::from(SECRET), parts).unwrap();
        Self { app, database, clock, mailer, config, names: AtomicU64::new(1) }
    }

    /// Answers a request as the server would.
    pub async fn call(&self, request: Request) -> Response {
        self.app.endpoint.call(request).await.expect("the stack turns every error into an answer")
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Actor<'_> {
        Actor::new(self, None)
    }

    /// Somebody who has just registered.
    pub async fn user(&self) -> Actor<'_> {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let email = format!("user-{number}@example.com");
        let body = json!({"email": email, "password": Actor::PASSWORD, "name": format!("User {number}")});
        let session = self.anonymous().post("/v1/auth/register", &body).await.expect(201).json();
        Actor::new(self, Some(session))
    }

    /// An administrator.
    pub async fn admin(&self) -> Actor<'_> {
        let admin = self.user().await;
        let (id, now) = (UserId::new(admin.id()), self.clock.now());
        let promote = move |c: &mut _| update_access(c, id, Some(Role::Admin), None, now).map_err(DbError::from);
        self.app.db.write(promote).await.unwrap();
        admin
    }

    /// Moves the clock.
    pub fn advance_clock(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Runs SQL from outside the app.
    pub fn execute(&self, sql: &str) {
        self.database.execute(sql);
    }

    /// Stores the failures that were taken.
    pub async fn store_incidents(&self) {
        self.app.incidents.drain().await.unwrap();
    }

    /// Does what the worker would do now.
    pub async fn run_jobs(&self) {
        self.app.worker.drain().await;
    }
}
