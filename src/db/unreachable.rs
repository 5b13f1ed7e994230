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
        let failed = result.as_ref().err().map(|error| {
            let now = Instant::now();
            Failed { reason: reason(error), until: now + now.duration_since(started).min(MAX_PAUSE) }
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        result
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
    use std::thread::sleep;

    use super::*;

    fn fail(after: Duration) -> Result<(), ConnectionError> {
        sleep(after);
        Err(ConnectionError::BadConnection("timeout expired".to_owned()))
    }

    #[test]
    fn attempts_fail_at_once_after_one_that_took_long() {
        let server = Unreachable::default();
        assert!(server.attempt(|| fail(Duration::from_millis(500))).is_err());
        let error = server.clone().attempt(|| -> Result<(), _> { panic!("attempted") }).unwrap_err();
        assert_eq!(error.to_string(), "timeout expired");
        let until = server.0.lock().unwrap().as_ref().unwrap().until;
        assert_eq!(server.reason(until), None);
        // A successful attempt ends it.
        *server.0.lock().unwrap() = None;
        assert!(server.attempt(|| Ok(())).is_ok() && server.0.lock().unwrap().is_none());
    }

    #[test]
    fn rejected_connection_delays_no_attempt() {
        let server = Unreachable::default();
        let started = Instant::now();
        assert!(server.attempt(|| fail(Duration::ZERO)).is_err());
        let took = started.elapsed();
        assert!(server.reason(Instant::now() + took).is_none());
    }
}
