//! `bucketlist serve`.

use std::{io::Write, sync::Arc, thread, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CliError, Settings,
    database_lock::{DatabaseLock, lock_database},
    environment::prepare_backup_directory,
    jwt_secret,
    listen::{Listeners, connection_limits, load_certificates, serve_metrics},
    logging::{self, LogLevel},
    migrate::{connect, ensure_writable},
    progress::IndexingLog,
    reload::Reloader,
    replicas,
    seed::insert_sample_data,
};
use crate::{
    app::{App, Dependencies},
    build_info,
    config::{Config, Environment},
    db::{
        Db, PreparedStatements, Target, backup::discard_partial_files, exclusive::ExclusiveLockError,
        loses_prepared_statements, migrations::MigrationError,
    },
    http::StartupGate,
    redis::{Redis, RedisMonitor},
    seed,
};

/// Interval between checks that this server still holds the exclusive lock on its database.
const LOCK_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum time for such a check.
const LOCK_CHECK_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum time that requests on a socket of the service manager wait while the server starts.
const ACTIVATION_WAIT: Duration = Duration::from_secs(10);
/// Maximum time that the last checkpoint waits for other users of the database.
const CHECKPOINT_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum time that the start waits for Redis.
const REDIS_WAIT: Duration = Duration::from_millis(500);
/// What follows from a network in `TRUSTED_PROXIES` that contains every address.
pub(super) const UNLIMITED_PROXIES: &str =
    "clients can choose their own address and avoid rate limits; list only the networks of proxies";
/// Maximum time for the export of the last spans.
pub(super) const TRACE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn run(settings: Settings, seed: bool, no_worker: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let mut config = settings.config()?;
    config.jobs.runs_in_server &= !no_worker;
    let config = &config;
    let (_log, log_level) = logging::start(config);
    settings.log();
    let seed = seed || config.environment == Environment::Development;
    let certificates = load_certificates(config)?;
    if let Some(network) = config.unlimited_proxy_network() {
        tracing::warn!(network, help = UNLIMITED_PROXIES, "TRUSTED_PROXIES contains every address");
    }
    let lock = lock_database(config)?;
    if config.jobs.runs_in_server {
        prepare_backup_directory(config)?;
    }
    let listeners = Listeners::bind(config, certificates)?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve(config, seed, lock, listeners, (settings, log_level), out));
    // Without waiting for blocking calls: a name server or a database that does not respond must not delay the exit.
    runtime.shutdown_background();
    discard_partial_files();
    served?;
    tracing::info!("server stopped");
    Ok(())
}

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(thread::available_parallelism().map_or(1, usize::from))
        .enable_all()
        .build()
}

async fn serve(
    config: &Config,
    seed: bool,
    lock: DatabaseLock,
    mut listeners: Listeners,
    (settings, log_level): (Settings, LogLevel),
    out: &mut dyn Write,
) -> Result<(), CliError> {
    // Clients that connected to the previous process wait for this one.
    let wait = if listeners.is_api_passed() { ACTIVATION_WAIT } else { Duration::ZERO };
    let gate = Arc::new(StartupGate::new(config.is_https(), contract::BasePath::new(config.base_path()), wait));
    // Install the signal handlers before the first connection is accepted.
    let draining = CancellationToken::new();
    let stop = stop_signal(Arc::clone(&gate), draining.clone(), config.shutdown_delay)?;
    let hang_up = signal(SignalKind::hangup())?;
    // The lock is held until the last request is complete.
    let lock = Arc::new(lock);
    let lock_lost = lock_lost(Arc::clone(&lock));
    let stop = async move {
        tokio::select! {
            () = stop => {}
            () = lock_lost => {}
        }
    };
    tokio::pin!(stop);
    let startup_message = StartupMessage::new(config, &listeners)?;
    let metrics_listener = listeners.take_metrics();
    let shutdown = CancellationToken::new();
    let (limits_sender, limits) = watch::channel(connection_limits(config));
    let certificates = listeners.certificates();
    let mut serving = tokio::spawn({
        let (config, gate, shutdown) = (config.clone(), Arc::clone(&gate), shutdown.clone());
        let draining = draining.clone();
        async move { listeners.serve(&config, gate, limits, draining, shutdown).await }
    });
    // Migrating and indexing a large database takes minutes. Meanwhile the server is alive and not ready.
    let app = tokio::select! {
        app = start_app(config.clone(), seed) => app?,
        () = &mut stop => return Ok(()),
        served = &mut serving => return served.unwrap_or_else(server_failed),
    };
    let App {
        endpoint, worker, incidents, usage, readiness, limits: request_limits, metrics, db, redis, tracer, ..
    } = app;
    start_redis(redis, &shutdown).await;
    worker.declare_schedules().await;
    gate.open(endpoint, readiness);
    startup_message.write(out)?;

    let reloader = Reloader { settings, log_level, certificates, connection_limits: limits_sender, request_limits };
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(reloader.run(hang_up)));
    if let Some(monitor) = db.replica_monitor() {
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(monitor.run()));
    }
    let tasks = TaskTracker::new();
    if config.jobs.runs_in_server {
        tasks.spawn(worker.run(shutdown.clone()));
    } else {
        tasks.spawn(worker.run_without_jobs(shutdown.clone()));
    }
    let storage_shutdown = CancellationToken::new();
    tasks.spawn(incidents.run_supervised(storage_shutdown.clone()));
    // Metrics are available until the last request is complete.
    if let Some((listener, metrics)) = metrics_listener.zip(metrics) {
        tasks.spawn(serve_metrics(listener, metrics, connection_limits(config), storage_shutdown.clone()));
    }
    tasks.spawn(usage.run_supervised(storage_shutdown.clone()));
    tokio::select! {
        () = &mut stop => {}
        served = &mut serving => return served.unwrap_or_else(server_failed),
    }
    let deadline = Instant::now() + config.shutdown_timeout;
    draining.cancel();
    shutdown.cancel();
    let served = serving.await.unwrap_or_else(server_failed);
    // Stop the storage last, so that failures and counters of the last requests are stored as well.
    storage_shutdown.cancel();
    tasks.close();
    if timeout_at(deadline, tasks.wait()).await.is_err() {
        tracing::warn!(tasks = tasks.len(), "shutdown timeout reached; background tasks interrupted");
    }
    if let Some(tracer) = tracer {
        tracer.shut_down(TRACE_TIMEOUT).await;
    }
    checkpoint(&db).await;
    served
}

/// Connects to Redis, and keeps the connection until `shutdown` is cancelled. A server starts without Redis if it is not available.
pub(super) async fn start_redis(redis: Option<(Redis, RedisMonitor)>, shutdown: &CancellationToken) {
    let Some((redis, monitor)) = redis else { return };
    tokio::spawn(monitor.run(shutdown.clone()));
    let _ = timeout(REDIS_WAIT, redis.connected()).await;
}

/// Copies the write-ahead log of SQLite into the database file, so that a copy of this file alone is complete.
pub(super) async fn checkpoint(db: &Db) {
    match db.checkpoint(CHECKPOINT_TIMEOUT).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!("database in use; write-ahead log not copied into the database file"),
        Err(error) => tracing::warn!(%error, "cannot copy the write-ahead log into the database file"),
    }
}

fn server_failed(error: tokio::task::JoinError) -> Result<(), CliError> {
    Err(CliError::Message(format!("the server failed: {error}")))
}

/// Prepares the database and builds the app on a separate thread. Building the documents and pages takes several
/// megabytes, which are released when the thread ends.
pub(super) async fn start_app(mut config: Config, seed: bool) -> Result<App, CliError> {
    let (sender, app) = oneshot::channel();
    let start = move || {
        let mut start = || {
            prepare_database(&config, seed)?;
            check_prepared_statements(&mut config)?;
            replicas::check_before_start(&config)?;
            let secret = jwt_secret(&config)?;
            Ok(App::new(&config, &secret, Dependencies::from_config(&config)?)?)
        };
        // The receiver is dropped when the server is stopped before it has started.
        let _ = sender.send(start());
    };
    thread::Builder::new().name("startup".to_owned()).spawn(start)?;
    app.await.unwrap_or_else(|_| Err(CliError::Message("the server panicked during startup; see the log".to_owned())))
}

/// Prepares no statements if the connection pooler loses them: each write would fail with 500.
fn check_prepared_statements(config: &mut Config) -> Result<(), CliError> {
    let database = &mut config.database;
    if database.prepared != PreparedStatements::On {
        return Ok(());
    }
    let loses = loses_prepared_statements(&database.target);
    if loses.map_err(|error| CliError::Message(error.to_string()))? {
        tracing::warn!(
            help = "use PgBouncer 1.21 or later with max_prepared_statements above 0, or set DATABASE_PREPARED=auto",
            "the connection pooler does not support prepared statements; DATABASE_PREPARED=on has no effect"
        );
        database.prepared = PreparedStatements::Off;
    }
    Ok(())
}

/// Completes when the exclusive lock is lost: the caches of this server may be outdated from then on.
async fn lock_lost(lock: Arc<DatabaseLock>) {
    if !matches!(*lock, DatabaseLock::Advisory(_)) {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(LOCK_CHECK_INTERVAL).await;
        let lock = Arc::clone(&lock);
        let renewal = tokio::task::spawn_blocking(move || match &*lock {
            DatabaseLock::Advisory(lock) => lock.renew(),
            _ => Ok(()),
        });
        let Ok(renewal) = timeout(LOCK_CHECK_TIMEOUT, renewal).await else {
            tracing::warn!("database lock check got no response; its connection will be replaced");
            continue;
        };
        match renewal {
            Ok(Ok(())) => {}
            // Without a connection, the server cannot read, so it cannot cache outdated data either.
            Ok(Err(ExclusiveLockError::Unreachable(reason))) => {
                tracing::warn!(reason, "cannot renew the database lock");
            }
            Ok(Err(error @ (ExclusiveLockError::AlreadyHeld | ExclusiveLockError::Pooler))) => {
                tracing::error!(%error, "database lock lost; stopping");
                return;
            }
            Err(error) => {
                tracing::error!(%error, "database lock check failed; stopping");
                return;
            }
        }
    }
}

/// Migrates and seeds the database, or rejects one that is newer than this binary.
fn prepare_database(config: &Config, seed: bool) -> Result<(), CliError> {
    let mut migrator = connect(config)?;
    if migrator.uses_pooler() {
        tracing::info!("connected to PostgreSQL through a connection pooler; timeouts are set in each transaction");
    }
    // A server on a standby of PostgreSQL waits until it becomes the primary.
    if matches!(config.database.target, Target::Sqlite(_)) {
        ensure_writable(config, &mut migrator)?;
    }
    if config.auto_migrate {
        let mut log = IndexingLog::default();
        for name in migrator.up_with_progress(&mut |progress| log.record(progress))? {
            tracing::info!(name, "migration applied");
        }
    } else {
        let status = migrator.status()?;
        if let Some(version) = status.min_version {
            return Err(MigrationError::Newer(version).into());
        }
        if !status.pending.is_empty() {
            tracing::warn!(pending = status.pending.len(), "migrations pending; run `bucketlist migrate up`");
            return Ok(());
        }
    }
    // Queries are correct without statistics, so a failure does not prevent the start.
    if let Err(error) = migrator.refresh_statistics() {
        tracing::warn!(%error, "cannot update the query planner statistics");
    }
    if seed && insert_sample_data(config, &mut migrator)? {
        tracing::info!("sample data inserted into the empty database");
    }
    Ok(())
}

/// The text that is printed when the server is ready.
struct StartupMessage(String);

impl StartupMessage {
    fn new(config: &Config, listeners: &Listeners) -> Result<Self, CliError> {
        use std::fmt::Write as _;
        let url = listeners.url()?;
        let mut text = format!(
            "BucketList API {} ({})\n  \
             API       {url}/v1\n            {url}/v2\n  \
             Docs      {url}/docs\n  \
             Document  {url}/openapi/v1.json\n            {url}/openapi/v2.json\n  \
             Health    {url}/health/ready\n",
            build_info::VERSION,
            config.environment.as_str(),
        );
        // Writing to a string cannot fail.
        if let Some(redirect) = listeners.redirect_url()? {
            let _ = writeln!(text, "  Redirect  {redirect}");
        }
        if let Some(metrics) = listeners.metrics_url()? {
            let _ = writeln!(text, "  Metrics   {metrics}");
        }
        let _ = writeln!(text, "  Database  {}", config.database.target.engine());
        if let Some(redis) = &config.redis {
            let _ = writeln!(text, "  Redis     {}", redis.address);
        }
        if config.environment == Environment::Development {
            let _ = writeln!(text, "  Login     {} / {}", seed::DEMO_EMAIL, seed::DEMO_PASSWORD);
            let _ = writeln!(text, "  Admin     {} / {}", seed::ADMIN_EMAIL, seed::ADMIN_PASSWORD);
        }
        Ok(Self(text))
    }

    fn write(self, out: &mut dyn Write) -> Result<(), CliError> {
        out.write_all(self.0.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// Completes when the server must stop. After SIGTERM it keeps serving for `delay` while readiness fails and connections drain, so that
/// load balancers and clients can stop sending requests; SIGINT ends the delay.
fn stop_signal(
    gate: Arc<StartupGate>,
    draining: CancellationToken,
    delay: Duration,
) -> Result<impl Future<Output = ()>, CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {
                gate.drain();
                draining.cancel();
                tracing::info!("shutdown requested; readiness check now fails");
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    _ = interrupt.recv() => {}
                }
            }
            _ = interrupt.recv() => gate.drain(),
        }
        tracing::info!("shutting down; completing requests in flight");
    })
}
