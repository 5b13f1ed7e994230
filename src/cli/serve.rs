//! `bucketlist serve`.

use std::{fs::File, io::Write, path::Path, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::{
    CliError, jwt_secret,
    listen::{Listening, certificates},
    logging,
    migrate::{START_POSTGRES, connect},
    prepare_folders,
    seed::insert_standard,
};
use crate::{
    app::{App, Dependencies},
    build_info,
    config::{Config, Environment},
    db::{
        Target,
        exclusive::{ExclusiveLock, ExclusiveLockError, ensure_not_locked},
        migrations::MigrationError,
    },
    http::Readiness,
    seed,
};

/// How often a server makes sure that it still has its database for itself.
const RENEWAL: Duration = Duration::from_secs(5);

pub(super) fn run(config: &Config, seed: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let _log = logging::start(config);
    let wants_seed = seed || config.environment == Environment::Development;
    let (app, listening, hold) = on_a_thread_of_its_own(|| {
        let certificates = certificates(config)?;
        let hold = hold(config)?;
        prepare_database(config, wants_seed)?;
        let secret = jwt_secret(config)?;
        let listening = Listening::open(config, certificates)?;
        Ok((App::new(config, &secret, Dependencies::real(config)?)?, listening, hold))
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(1, usize::from))
        .enable_all()
        .build()?;
    // Before anybody is told that the server is there: from then on it may be asked to stop.
    let stop = {
        let _inside = runtime.enter();
        stop_signal(app.readiness.clone(), config.shutdown_delay)?
    };
    greet(config, &listening, out)?;
    let stop = async move {
        tokio::select! {
            () = stop => {}
            () = lost(hold) => {}
        }
    };
    runtime.block_on(serve(config, app, listening, stop))?;
    tracing::info!("stopped");
    Ok(())
}

/// Building the documents and pages takes megabytes for a moment; the allocator gives them back when their thread ends,
/// and would keep them for the main thread as long as the server runs.
fn on_a_thread_of_its_own<T: Send>(work: impl FnOnce() -> Result<T, CliError> + Send) -> Result<T, CliError> {
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|_| Err(CliError::Message("the server could not be put together; see the log".to_owned())))
}

/// Keeps a second server from a database that one has for itself: each would remember what the other has changed. Lasts as
/// long as it is held, and no longer than the process.
enum Hold {
    /// The embedded database is always one server's.
    File {
        _lock: File,
    },
    ExclusiveLock(ExclusiveLock),
    /// Others may be there.
    Shared,
}

fn hold(config: &Config) -> Result<Hold, CliError> {
    match &config.database.target {
        Target::Sqlite(path) => {
            prepare_folders(config)?;
            Ok(Hold::File { _lock: lock(path)? })
        }
        Target::Postgres(url) if config.is_exclusive => {
            ExclusiveLock::new(url).map(Hold::ExclusiveLock).map_err(|error| refusal(&error))
        }
        Target::Postgres(url) => ensure_not_locked(url).map(|()| Hold::Shared).map_err(|error| refusal(&error)),
    }
}

fn refusal(error: &ExclusiveLockError) -> CliError {
    CliError::Message(match error {
        ExclusiveLockError::AlreadyHeld => {
            "another server has the database for itself; stop it, or let no server have DATABASE_EXCLUSIVE".to_owned()
        }
        ExclusiveLockError::Unreachable(_) => format!("{error}; {START_POSTGRES}"),
    })
}

/// Ends when the claim is lost: what this server remembers may then be wrong.
async fn lost(hold: Hold) {
    let mut claim = match hold {
        Hold::ExclusiveLock(claim) => claim,
        held => {
            let _held = held;
            return std::future::pending().await;
        }
    };
    loop {
        tokio::time::sleep(RENEWAL).await;
        let renewal = tokio::task::spawn_blocking(move || {
            let outcome = claim.renew();
            (claim, outcome)
        });
        let Ok((kept, outcome)) = renewal.await else { return };
        claim = kept;
        match outcome {
            Ok(()) => {}
            // Nothing can be read either, until it is back.
            Err(ExclusiveLockError::Unreachable(reason)) => {
                tracing::warn!(reason, "cannot renew the claim on the database")
            }
            Err(error @ ExclusiveLockError::AlreadyHeld) => {
                tracing::error!(%error, "the connection that held the claim was lost: stopping");
                return;
            }
        }
    }
}

fn lock(path: &Path) -> Result<File, CliError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let fail = |why: String| CliError::Message(format!("{why}; stop the other server, or use PostgreSQL for several"));
    let file = File::create(&name).map_err(|error| fail(format!("`{}`: {error}", name.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(fail(format!("another server has the database `{}`", path.display()))),
    }
}

/// Migrates and seeds, or refuses a database that this binary must not touch.
fn prepare_database(config: &Config, wants_seed: bool) -> Result<(), CliError> {
    let mut migrator = connect(config)?;
    if config.auto_migrate {
        for name in migrator.up()? {
            tracing::info!(name, "migrated");
        }
    } else {
        let status = migrator.status()?;
        if let Some(version) = status.unknown.last() {
            return Err(MigrationError::Newer(version.clone()).into());
        }
        if !status.pending.is_empty() {
            tracing::warn!(pending = status.pending.len(), "the database is not current: run `bucketlist migrate up`");
            return Ok(());
        }
    }
    if wants_seed && insert_standard(config, &mut migrator)? {
        tracing::info!("the database was empty: added the standard data");
    }
    Ok(())
}

fn greet(config: &Config, listening: &Listening, out: &mut dyn Write) -> Result<(), CliError> {
    let url = listening.url()?;
    writeln!(out, "BucketList API {} ({})", build_info::VERSION, config.environment.as_str())?;
    writeln!(out, "  API       {url}/v1")?;
    writeln!(out, "            {url}/v2")?;
    writeln!(out, "  Docs      {url}/docs")?;
    writeln!(out, "  Document  {url}/openapi/v1.json")?;
    writeln!(out, "            {url}/openapi/v2.json")?;
    writeln!(out, "  Health    {url}/health/ready")?;
    if let Some(redirect) = listening.redirect_url()? {
        writeln!(out, "  Redirect  {redirect}")?;
    }
    writeln!(out, "  Database  {}", config.database.target.engine())?;
    if config.environment == Environment::Development {
        writeln!(out, "  Login     {} / {}", seed::DEMO_EMAIL, seed::DEMO_PASSWORD)?;
        writeln!(out, "  Admin     {} / {}", seed::ADMIN_EMAIL, seed::ADMIN_PASSWORD)?;
    }
    out.flush()?;
    Ok(())
}

async fn serve(
    config: &Config,
    app: App,
    listening: Listening,
    asked_to_stop: impl Future<Output = ()>,
) -> Result<(), CliError> {
    let (stop, stopped) = watch::channel(false);
    let incidents = tokio::spawn(app.incidents.run(stopped.clone()));
    let worker = tokio::spawn(app.worker.run(stopped));
    listening.serve(config, app.endpoint, asked_to_stop).await?;
    let _ = stop.send(true);
    // A job that is being done is finished, but it cannot hold the server up for ever; the outbox keeps it.
    let both = futures_util::future::join(worker, incidents);
    let _ = tokio::time::timeout(config.shutdown_timeout, both).await;
    Ok(())
}

/// Ends when the server is to stop. After SIGTERM readiness fails first, while requests are still taken: whoever balances
/// the load gets the time to look elsewhere.
fn stop_signal(readiness: Readiness, delay: Duration) -> Result<impl Future<Output = ()>, CliError> {
    let listen = |kind: SignalKind| -> std::io::Result<Signal> { signal(kind) };
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    // The terminal is gone: as good a reason to stop as being asked to, and no reason to drop anybody.
    let mut hang_up = listen(SignalKind::hangup())?;
    Ok(async move {
        let asked = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
        };
        tokio::select! {
            () = asked => {
                readiness.drain();
                tracing::info!("stopping: not ready any more");
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    _ = interrupt.recv() => {}
                }
            }
            _ = interrupt.recv() => readiness.drain(),
        }
        tracing::info!("stopping: finishing the requests in flight");
    })
}
