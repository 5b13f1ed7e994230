//! Logs to standard error, as text or JSON. A separate thread writes the lines, so that requests never wait for it; lines
//! that it cannot keep up with are dropped and counted.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{EnvFilter, fmt::format::JsonFields, reload};

use crate::{
    config::{Config, LogFormat},
    log_format::JsonFormat,
};

/// Changes the log level.
pub(super) struct LogLevel(Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send>);

impl LogLevel {
    fn new<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> Self {
        Self(Box::new(move |filter| handle.reload(filter)))
    }

    /// Applies a value of `LOG_LEVEL`.
    ///
    /// # Errors
    /// Fails if another subscriber of the process receives the events.
    pub(super) fn set(&self, level: &str) -> Result<(), reload::Error> {
        (self.0)(filter(level))
    }
}

/// Starts logging. Dropping the guard writes the remaining lines and stops it.
pub(super) fn start(config: &Config) -> (WorkerGuard, LogLevel) {
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&config.log_level))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(writer);
    // Only the first subscriber of a process is installed.
    let level = match config.log_format {
        LogFormat::Pretty => {
            let builder = builder.compact().with_target(false).with_filter_reloading();
            let level = LogLevel::new(builder.reload_handle());
            let _ = builder.try_init();
            level
        }
        LogFormat::Json => {
            let builder = builder.event_format(JsonFormat::default()).fmt_fields(JsonFields::new());
            let builder = builder.with_filter_reloading();
            let level = LogLevel::new(builder.reload_handle());
            let _ = builder.try_init();
            level
        }
    };
    (guard, level)
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::builder().parse_lossy(level)
}
