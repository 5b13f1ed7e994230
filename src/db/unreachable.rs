//! A server that does not respond to attempts to connect. Each attempt takes seconds, so that requests would wait for it one after
//! another.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use diesel::ConnectionError;

/// Maximum time after a failed attempt during which others fail at once.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// The last failed attempt to connect, if there was none that succeeded after it; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Unreachable(Arc<Mutex<Option<Failed>>>);

struct Failed {
    reason: String,
    /// When the next attempt may begin.
    until: Instant,
}

impl Unreachable {
    /// Attempts to connect. After a failure, attempts fail at once for as long as it took, and for a second at most. A rejected connection
    /// fails within a millisecond, so that it delays no other attempt.
    pub(super) fn attempt<T>(
        &self,
        connect: impl FnOnce() -> Result<T, ConnectionError>,
    ) -> Result<T, ConnectionError> {
        let started = Instant::now();
        if let Some(reason) = self.reason(started) {
            return Err(ConnectionError::BadConnection(reason));
        }
        let result = connect();
        self.record(started, Instant::now(), result.as_ref().err());
        result
    }

    /// Records the end of an attempt.
    fn record(&self, started: Instant, ended: Instant, error: Option<&ConnectionError>) {
        let pause = ended.duration_since(started).min(MAX_PAUSE);
        let failed = error.map(|error| Failed { reason: reason(error), until: ended + pause });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }

    /// Returns why an attempt would fail now.
    fn reason(&self, now: Instant) -> Option<String> {
        let failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().filter(|failed| now < failed.until).map(|failed| failed.reason.clone())
    }
}

fn reason(error: &ConnectionError) -> String {
    match error {
        ConnectionError::BadConnection(reason) => reason.clone(),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A failed attempt that has taken this long. Returns when it ended.
    fn failed_after(server: &Unreachable, duration: Duration) -> Instant {
        let started = Instant::now();
        let error = ConnectionError::BadConnection("timeout expired".to_owned());
        server.record(started, started + duration, Some(&error));
        started + duration
    }

    #[test]
    fn attempts_fail_at_once_for_as_long_as_the_failed_one_took_and_for_a_second_at_most() {
        let server = Unreachable::default();
        for (duration, pause) in [(Duration::ZERO, Duration::ZERO), (SECOND / 2, SECOND / 2), (60 * SECOND, SECOND)] {
            let ended = failed_after(&server, duration);
            assert_eq!(server.reason(ended + pause), None, "{duration:?}");
            if let Some(before) = pause.checked_sub(Duration::from_nanos(1)) {
                assert_eq!(server.reason(ended + before).as_deref(), Some("timeout expired"), "{duration:?}");
            }
        }
    }

    #[test]
    fn server_is_not_contacted_until_the_pause_has_passed() {
        let server = Unreachable::default();
        // The attempt ends in an hour, so that the pause has not passed however long this test takes.
        failed_after(&server, 3_600 * SECOND);
        let error = server.clone().attempt(|| -> Result<(), _> { panic!("attempted") }).unwrap_err();
        assert_eq!(error.to_string(), "timeout expired");
        let now = Instant::now();
        server.record(now, now, None);
        assert!(server.attempt(|| Ok(())).is_ok(), "a successful attempt ends the pause");
    }
}
