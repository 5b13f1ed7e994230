//! Notifications of PostgreSQL, on a separate connection and thread.

use std::{io, thread, time::Duration};

use pg_listener::Listener;

use super::{Target, postgres};

/// Maximum time until the thread notices that it must stop.
const STOP_INTERVAL: Duration = Duration::from_secs(1);
/// Initial and maximum delay before a lost connection is replaced.
const RECONNECT_DELAY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Calls `notify` after each notification on `channel`, and after each connection, because notifications may have been missed
/// before. Ends soon after `is_stopped` returns `true`. Does nothing on SQLite, which has no notifications.
///
/// # Errors
/// Fails if the thread cannot be started.
pub fn listen(
    target: &Target,
    channel: &'static str,
    is_stopped: impl Fn() -> bool + Send + 'static,
    notify: impl Fn() + Send + 'static,
) -> io::Result<()> {
    let Target::Postgres(url) = target else { return Ok(()) };
    let url = postgres::with_defaults(url);
    let run = move || {
        let mut delay = RECONNECT_DELAY.0;
        while !is_stopped() {
            let Err(error) = listen_once(&url, channel, &is_stopped, &notify, &mut delay) else { return };
            tracing::warn!(%error, channel, "cannot listen for notifications; jobs are polled");
            wait(delay, &is_stopped);
            delay = (delay * 2).min(RECONNECT_DELAY.1);
        }
    };
    thread::Builder::new().name("db-notifications".to_owned()).spawn(run).map(drop)
}

fn listen_once(
    url: &str,
    channel: &str,
    is_stopped: &impl Fn() -> bool,
    notify: &impl Fn(),
    delay: &mut Duration,
) -> Result<(), pg_listener::ListenError> {
    let mut listener = Listener::connect(url, channel)?;
    tracing::debug!(channel, "listening for notifications");
    *delay = RECONNECT_DELAY.0;
    notify();
    while !is_stopped() {
        if listener.wait(STOP_INTERVAL)? {
            notify();
        }
    }
    Ok(())
}

fn wait(delay: Duration, is_stopped: &impl Fn() -> bool) {
    let mut remaining = delay;
    while !remaining.is_zero() && !is_stopped() {
        let step = remaining.min(STOP_INTERVAL);
        thread::sleep(step);
        remaining -= step;
    }
}
