//! How long a connection has been without a response.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// Number of successive commands without a response, and the time without any, after which a connection is replaced. On a busy host,
/// several responses can be late at the same time.
pub(super) const MAX_TIMEOUTS: u32 = 3;
const MAX_UNRESPONSIVE_TIME: Duration = Duration::from_millis(500);

/// The successive commands without a response.
#[derive(Debug, Default)]
pub(super) struct UnresponsivePeriod {
    timeouts: AtomicU32,
    /// When the first of them was sent.
    since: Mutex<Option<Instant>>,
}

impl UnresponsivePeriod {
    pub(super) fn record_response(&self) {
        if self.timeouts.swap(0, Ordering::Relaxed) > 0 {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    /// Records that a command got no response in time. Returns whether the connection must be replaced.
    pub(super) fn record_timeout(&self, sent_at: Instant, now: Instant) -> bool {
        let timeouts = self.timeouts.fetch_add(1, Ordering::Relaxed) + 1;
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *since.get_or_insert(sent_at);
        timeouts >= MAX_TIMEOUTS && now.duration_since(since) >= MAX_UNRESPONSIVE_TIME
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_is_replaced_after_several_timeouts_over_some_time() {
        const LIMIT: Duration = Duration::from_millis(20);
        let (start, period) = (Instant::now(), UnresponsivePeriod::default());
        let time_out = |millis: u64| {
            let sent_at = start + Duration::from_millis(millis);
            period.record_timeout(sent_at, sent_at + LIMIT)
        };
        // Many at the same time, then a response.
        assert!((0..100).all(|_| !time_out(0)));
        period.record_response();
        // A few over a long time.
        assert!(!time_out(1_000) && !time_out(2_000));
        period.record_response();
        assert!([3_000, 3_100, 3_200, 3_479].into_iter().all(|millis| !time_out(millis)));
        assert!(time_out(3_480));
    }
}
