//! An app that runs inside the test process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bucketlist::{
    app::{App, Dependencies},
    config::{Config, ReplayTarget, Variables},
    db::{DbError, repositories::users},
    domain::{Clock, ManualClock, Role, SystemRandom, Timestamp, UserChanges, UserId},
};
use poem::{Endpoint, Request, Response};
use secrecy::SecretString;

use super::{Actor, Database, Engine, MemoryMailer, json};

/// `JWT_SECRET` of test apps.
pub const JWT_SECRET: &str = "the-secret-that-test-apps-sign-with";

/// The time at which the clock of a test app starts, in microseconds: 2027-01-15T08:00:00Z.
pub const START_MICROS: i64 = 1_800_000_000_000_000;

/// A complete app with its own database, a manual clock and a mailer that stores messages in memory.
pub struct TestApp {
    pub app: App,
    pub database: Database,
    pub clock: Arc<ManualClock>,
    pub mailer: Arc<MemoryMailer>,
    pub config: Config,
    user_number: AtomicU64,
}

/// A change of the configuration before the app is built.
type ConfigChange<'a> = Box<dyn FnOnce(&mut Config) + 'a>;

/// Builds a [`TestApp`]. The default is SQLite with the settings of the testing environment.
#[must_use]
pub struct TestAppBuilder<'a> {
    engine: Engine,
    database: Option<Database>,
    changes: Vec<ConfigChange<'a>>,
}

impl<'a> TestAppBuilder<'a> {
    /// Sets the engine of the new database. Ignored with [`Self::database`].
    pub fn engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// Uses a database that the test has prepared.
    pub fn database(self, database: Database) -> Self {
        Self { database: Some(database), ..self }
    }

    /// Changes settings before the app starts.
    pub fn config(mut self, change: impl FnOnce(&mut Config) + 'a) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Starts the app. Must be called within a Tokio runtime.
    pub fn build(self) -> TestApp {
        let database = self.database.unwrap_or_else(|| Database::new(self.engine));
        let variables: Variables =
            [("APP_ENV", "testing"), ("RATE_LIMIT", "off"), ("PUBLIC_URL", "http://test.example")]
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
        let mut config = Config::from_variables(&variables).unwrap();
        config.database = database.options();
        config.limits.request_timeout = Duration::from_secs(120);
        config.data_dir = database.folder.path().to_owned();
        // Account notices are disabled, because most tests count the emails and jobs of operations other than registration.
        config.account_notices = false;
        // The cheapest hash parameters: these tests do not measure the strength of a hash.
        config.passwords.memory_kib = 8;
        config.passwords.passes = 1;
        // Completed jobs are deleted at once, so that tests can count the others.
        config.jobs.retention = Duration::ZERO;
        // The replay target in the examples of the OpenAPI document. No test connects to it.
        let staging = ReplayTarget { name: "staging".to_owned(), url: "http://127.0.0.1:1".to_owned(), admin: None };
        config.incidents.replay_targets = vec![staging];
        for change in self.changes {
            change(&mut config);
        }
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(START_MICROS)));
        let mailer = Arc::new(MemoryMailer::default());
        let dependencies =
            Dependencies { clock: clock.clone(), random: Arc::new(SystemRandom), mailer: mailer.clone() };
        let app = App::new(&config, &SecretString::from(JWT_SECRET), dependencies).unwrap();
        TestApp { app, database, clock, mailer, config, user_number: AtomicU64::new(1) }
    }
}

impl TestApp {
    pub fn builder<'a>() -> TestAppBuilder<'a> {
        TestAppBuilder { engine: Engine::Sqlite, database: None, changes: Vec::new() }
    }

    /// Starts an app with default settings on a new database.
    pub fn new(engine: Engine) -> Self {
        Self::builder().engine(engine).build()
    }

    /// Starts another server with the same database and clock.
    pub fn second_server(&self) -> Self {
        self.second_server_with(|_| {})
    }

    /// Like [`Self::second_server`], with other settings.
    pub fn second_server_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = self.config.clone();
        change(&mut config);
        let (clock, mailer) = (self.clock.clone(), self.mailer.clone());
        let dependencies =
            Dependencies { clock: clock.clone(), random: Arc::new(SystemRandom), mailer: mailer.clone() };
        let app = App::new(&config, &SecretString::from(JWT_SECRET), dependencies).unwrap();
        let database = self.database.shared();
        Self { app, database, clock, mailer, config, user_number: AtomicU64::new(1_000) }
    }

    /// Handles a request as the server would, without checking the response.
    pub async fn call(&self, request: Request) -> Response {
        self.app.endpoint.call(request).await.expect("the endpoint converts every error into a response")
    }

    /// Returns an actor without a token.
    pub fn anonymous(&self) -> Actor<'_> {
        Actor::new(self, None)
    }

    /// Registers a new user.
    pub async fn user(&self) -> Actor<'_> {
        let number = self.user_number.fetch_add(1, Ordering::Relaxed);
        let email = format!("user-{number}@example.com");
        let body = json!({"email": email, "password": Actor::PASSWORD, "name": format!("User {number}")});
        let session = self.anonymous().post("/v1/auth/register", &body).await.expect(201).json();
        Actor::new(self, Some(session))
    }

    /// Registers a new user and makes it an administrator.
    pub async fn admin(&self) -> Actor<'_> {
        let admin = self.user().await;
        let (id, now) = (UserId::new(admin.id()), self.clock.now());
        let changes = UserChanges { role: Some(Role::Admin), ..UserChanges::default() };
        let promote = move |c: &mut _| users::update(c, id, changes, now).map_err(DbError::from);
        self.app.db.write(promote).await.unwrap();
        admin
    }

    /// Moves the clock forward.
    pub fn advance_clock(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Runs SQL on a connection outside the app.
    pub fn execute(&self, sql: &str) {
        self.database.execute(sql);
    }

    /// Writes captured incidents to the database.
    pub async fn flush_incidents(&self) {
        self.app.incidents.drain().await.unwrap();
    }

    /// Writes usage counters to the database.
    pub async fn flush_usage(&self) {
        self.app.usage.flush().await.unwrap();
    }

    /// Runs all due jobs, as the worker would.
    pub async fn run_jobs(&self) {
        self.app.worker.drain().await;
    }
}
