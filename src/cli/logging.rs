//! Logs to standard error, as text or JSON. A separate thread writes the lines, so that requests never wait for it; lines
//! that it cannot keep up with are dropped and counted.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging. Dropping the guard writes the remaining lines and stops it.
pub(super) fn start(config: &Config) -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    let filter = EnvFilter::builder().parse_lossy(&config.log_level);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(writer);
    // Only the first subscriber of a process is installed.
    let _ = match config.log_format {
        LogFormat::Pretty => builder.compact().with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    guard
}
