//! `REQUEST_TIMEOUT` for the server's own work on a request.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;

/// Time that is left for the work on a request. Only [`Deadline::run`] uses it up: the time a client takes to send the body
/// has a separate limit.
#[derive(Debug)]
pub(super) struct Deadline {
    remaining: Duration,
}

/// Minimum time, so that a short timeout does not reject requests of normal duration.
const MIN_WORK: Duration = Duration::from_secs(1);

/// The work took longer than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request exceeded its deadline")]
pub(super) struct DeadlineExceeded;

impl Deadline {
    /// Creates a deadline with `timeout`, but at least [`MIN_WORK`].
    pub(super) fn new(timeout: Duration) -> Self {
        Self { remaining: timeout.max(MIN_WORK) }
    }

    /// Runs `work` until the remaining time has passed.
    ///
    /// Not an `async` function: it would reserve space for the future twice.
    pub(super) fn run<T>(
        &mut self,
        work: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, DeadlineExceeded>> {
        self.run_with_clock(work, Instant::now)
    }

    fn run_with_clock<T>(
        &mut self,
        work: impl Future<Output = T>,
        now: impl Fn() -> Instant,
    ) -> impl Future<Output = Result<T, DeadlineExceeded>> {
        let started = now();
        tokio::time::timeout(self.remaining, work).map(move |result| {
            self.remaining = self.remaining.saturating_sub(now().duration_since(started));
            result.map_err(|_| DeadlineExceeded)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        future::{pending, ready},
    };

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn time_between_pieces_of_work_does_not_count() {
        let time = Cell::new(Instant::now());
        let advance = |by: Duration| time.set(time.get() + by);
        let mut deadline = Deadline::new(30 * SECOND);
        let work = async { advance(10 * SECOND) };
        assert_eq!(deadline.run_with_clock(work, || time.get()).await, Ok(()));
        // A slow upload.
        advance(29 * SECOND);
        let work = async { advance(15 * SECOND) };
        assert_eq!(deadline.run_with_clock(work, || time.get()).await, Ok(()));
        assert_eq!(deadline.remaining, 5 * SECOND);
    }

    #[tokio::test]
    async fn work_past_the_deadline_is_cancelled() {
        assert_eq!(Deadline::new(Duration::ZERO).remaining, MIN_WORK);
        let mut deadline = Deadline { remaining: Duration::ZERO };
        assert_eq!(deadline.run(ready(1)).await, Ok(1));
        assert_eq!(deadline.run(pending::<()>()).await, Err(DeadlineExceeded));
    }
}
