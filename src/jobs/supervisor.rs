//! Restarts background tasks that panic.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::IncidentWriter;
use crate::{db::panic_message, usage::UsageWriter};

/// Pause before a restart, so that a task that panics at once does not spin.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Runs a task to its end and starts it again after a panic, until `shutdown` is cancelled.
pub(super) async fn supervise<F>(name: &'static str, shutdown: &CancellationToken, task: impl FnMut() -> F)
where
    F: Future<Output = ()>,
{
    restart_after_panics(name, shutdown, RESTART_DELAY, task).await;
}

impl IncidentWriter {
    /// Like [`Self::run`], but starts again after a panic.
    pub async fn run_supervised(self, shutdown: CancellationToken) {
        supervise("incident storage", &shutdown, || self.run(&shutdown)).await;
    }
}

impl UsageWriter {
    /// Like [`Self::run`], but starts again after a panic.
    pub async fn run_supervised(self, shutdown: CancellationToken) {
        supervise("usage storage", &shutdown, || self.run(&shutdown)).await;
    }
}

async fn restart_after_panics<F>(
    name: &'static str,
    shutdown: &CancellationToken,
    delay: Duration,
    mut task: impl FnMut() -> F,
) where
    F: Future<Output = ()>,
{
    while let Err(panic) = AssertUnwindSafe(task()).catch_unwind().await {
        tracing::error!(task = name, panic = panic_message(&*panic), "background task panicked");
        if shutdown.run_until_cancelled(tokio::time::sleep(delay)).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn panicking_task_is_restarted() {
        let (starts, shutdown) = (Cell::new(0), CancellationToken::new());
        let task = async || {
            starts.set(starts.get() + 1);
            assert!(starts.get() > 2, "fails twice");
        };
        restart_after_panics("test", &shutdown, Duration::ZERO, task).await;
        assert_eq!(starts.get(), 3);
    }

    #[tokio::test]
    async fn panicking_task_is_not_restarted_during_shutdown() {
        let (starts, shutdown) = (Cell::new(0), CancellationToken::new());
        let task = async || {
            starts.set(starts.get() + 1);
            shutdown.cancel();
            panic!("fails during shutdown");
        };
        restart_after_panics("test", &shutdown, Duration::MAX, task).await;
        assert_eq!(starts.get(), 1);
    }
}
