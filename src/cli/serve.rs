//! `bucketlist serve`.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use poem::{Server, listener::TcpAcceptor};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use super::{CliError, jwt_secret, logging, migrate::connect, seed::standard};
use crate::{
    app::{App, Parts},
    build_info,
    config::{Config, Environment},
    db::migrations::MigrationError,
    http::Readiness,
    seed,
};

pub(super) fn run(config: &Config, seed: bool, out: &mut dyn Write) -> Result<(), CliError> {
    let _log = logging::start(config);
    let wants_seed = seed || config.environment == Environment::Development;
    let (app, listener) = on_a_thread_of_its_own(|| {
        prepare_database(config, wants_seed)?;
        let secret = jwt_secret(config)?;
        let listener = bind(config)?;
        Ok((App::new(config, &secret, Parts::real(config)?)?, listener))
    })?;
    let address = listener.local_addr()?;
    greet(config, address, out)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(1, usize::from))
        .enable_all()
        .build()?;
    runtime.block_on(serve(config, app, listener))?;
    tracing::info!("stopped");
    Ok(())
}

/// Building the documents and pages takes megabytes for a moment; the allocator gives them back when their thread ends,
/// and would keep them for the main thread as long as the server runs.
fn on_a_thread_of_its_own<T: Send>(work: impl FnOnce() -> Result<T, CliError> + Send) -> Result<T, CliError> {
    std::thread::scope(|scope| scope.spawn(work).join())
        .unwrap_or_else(|_| Err(CliError::Message("the server could not be put together; see the log".to_owned())))
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
    if wants_seed && standard(config, &mut migrator)? {
        tracing::info!("the database was empty: added the standard data");
    }
    Ok(())
}

fn bind(config: &Config) -> Result<TcpListener, CliError> {
    let address = SocketAddr::new(config.host, config.port);
    let listener = TcpListener::bind(address).map_err(|error| {
        CliError::Message(match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("port {} is taken; stop the other server, or let PORT name a free one", config.port)
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("this user may not listen on port {}; let PORT name one above 1023", config.port)
            }
            _ => format!("cannot listen on {address} ({error}); let HOST and PORT name an address of this machine"),
        })
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn greet(config: &Config, address: SocketAddr, out: &mut dyn Write) -> Result<(), CliError> {
    let port = address.port();
    let host = if address.ip().is_unspecified() { format!("localhost:{port}") } else { address.to_string() };
    let url = format!("http://{host}");
    writeln!(out, "BucketList API {} ({})", build_info::VERSION, config.environment.as_str())?;
    writeln!(out, "  API       {url}/v1")?;
    writeln!(out, "  Docs      {url}/docs")?;
    writeln!(out, "  Document  {url}/openapi/v1.json")?;
    writeln!(out, "  Health    {url}/health/ready")?;
    writeln!(out, "  Database  {}", config.database.target.engine())?;
    if config.environment == Environment::Development {
        writeln!(out, "  Login     {} / {}", seed::DEMO_EMAIL, seed::DEMO_PASSWORD)?;
        writeln!(out, "  Admin     {} / {}", seed::ADMIN_EMAIL, seed::ADMIN_PASSWORD)?;
    }
    out.flush()?;
    Ok(())
}

async fn serve(config: &Config, app: App, listener: TcpListener) -> Result<(), CliError> {
    let acceptor = TcpAcceptor::from_std(listener)?;
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(app.worker.run(stopped));
    let signal = stop_signal(app.readiness, config.shutdown_delay)?;
    Server::new_with_acceptor(acceptor)
        .run_with_graceful_shutdown(app.endpoint, signal, Some(config.shutdown_timeout))
        .await?;
    let _ = stop.send(true);
    // A job that is being done is finished, but it cannot hold the server up for ever; the outbox keeps it.
    let _ = tokio::time::timeout(config.shutdown_timeout, worker).await;
    Ok(())
}

/// Ends when the server is to stop. After SIGTERM readiness fails first, while requests are still taken: whoever balances
/// the load gets the time to look elsewhere.
fn stop_signal(readiness: Readiness, delay: Duration) -> Result<impl Future<Output = ()>, CliError> {
    let (mut terminate, mut interrupt): (Signal, Signal) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {
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
