//! `bucketlist worker`.

use std::{io::Write, net::TcpListener};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    CliError, Settings,
    database_lock::lock_for_worker,
    environment::prepare_backup_directory,
    listen::{bind_metrics_if_free, connection_limits, metrics_url, serve_metrics},
    logging::{self, LogLevel},
    reload::Reloader,
    serve::{TRACE_TIMEOUT, checkpoint, runtime, start_app, start_redis},
};
use crate::{app::App, build_info, config::Config, db::backup::discard_partial_files};

pub(super) fn run(settings: Settings, out: &mut dyn Write) -> Result<(), CliError> {
    let mut config = settings.config()?;
    // A worker does not listen.
    config.port = 0;
    let (_log, log_level) = logging::start(&config);
    settings.log();
    let _lock = lock_for_worker(&config)?;
    prepare_backup_directory(&config)?;
    let metrics = bind_metrics_if_free(&config)?;
    let runtime = runtime()?;
    let ran = runtime.block_on(work(&config, metrics, (settings, log_level), out));
    // Without waiting for blocking calls: a name server or a database that does not respond must not delay the exit.
    runtime.shutdown_background();
    discard_partial_files();
    ran?;
    tracing::info!("worker stopped");
    Ok(())
}

async fn work(
    config: &Config,
    metrics_listener: Option<TcpListener>,
    (settings, log_level): (Settings, LogLevel),
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hang_up = signal(SignalKind::hangup())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::pin!(stop);
    let app = tokio::select! {
        app = start_app(config.clone(), false) => app?,
        () = &mut stop => return Ok(()),
    };
    let App { worker, db, limits: request_limits, metrics, redis, tracer, .. } = app;
    print_startup_message(config, metrics_listener.as_ref(), out)?;
    let shutdown = CancellationToken::new();
    start_redis(redis, &shutdown).await;
    let connection_limits_sender = watch::Sender::new(connection_limits(config));
    let reloader = Reloader {
        settings,
        log_level,
        certificates: None,
        connection_limits: connection_limits_sender,
        request_limits,
    };
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(reloader.run(hang_up)));
    let tasks = TaskTracker::new();
    tasks.spawn(worker.run(shutdown.clone()));
    if let Some((listener, metrics)) = metrics_listener.zip(metrics) {
        tokio::spawn(serve_metrics(listener, metrics, connection_limits(config), shutdown.clone()));
    }
    stop.await;
    tracing::info!("shutting down; completing running jobs");
    shutdown.cancel();
    tasks.close();
    if timeout(config.shutdown_timeout, tasks.wait()).await.is_err() {
        tracing::warn!("shutdown timeout reached; running jobs interrupted");
    }
    if let Some(tracer) = tracer {
        tracer.shut_down(TRACE_TIMEOUT).await;
    }
    checkpoint(&db).await;
    Ok(())
}

fn print_startup_message(config: &Config, metrics: Option<&TcpListener>, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "BucketList worker {} ({})", build_info::VERSION, config.environment.as_str())?;
    writeln!(out, "  Jobs      {} at the same time, and mail", config.jobs.workers)?;
    if let Some(listener) = metrics {
        writeln!(out, "  Metrics   {}", metrics_url(listener)?)?;
    }
    writeln!(out, "  Database  {}", config.database.target.engine())?;
    Ok(out.flush()?)
}
