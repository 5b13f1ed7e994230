//! The trait that every recurring task implements.

use std::{pin::Pin, sync::Arc, time::Duration};

/// An error of a recurring task.
pub(super) type TaskError = Box<dyn std::error::Error + Send + Sync>;

/// A task that runs at an interval, on one server at a time.
pub(super) trait Recurring: Send + Sync + 'static {
    /// The name of its schedule.
    const NAME: &'static str;

    /// Returns the interval; `None` if the task is disabled.
    fn interval(&self) -> Option<Duration>;

    /// Returns the time from the start of a run that has succeeded with this result to the next run, if it is not the interval.
    fn pause_after(&self, _count: Option<u64>) -> Option<Duration> {
        None
    }

    /// Runs the task. Returns the number of rows, files or mails, if there is one. It may run again after a crash, so it must be
    /// idempotent.
    fn run(&self) -> impl Future<Output = Result<Option<u64>, TaskError>> + Send;
}

/// A task that is also called directly.
impl<T: Recurring> Recurring for Arc<T> {
    const NAME: &'static str = T::NAME;

    fn interval(&self) -> Option<Duration> {
        T::interval(self)
    }

    fn pause_after(&self, count: Option<u64>) -> Option<Duration> {
        T::pause_after(self, count)
    }

    fn run(&self) -> impl Future<Output = Result<Option<u64>, TaskError>> + Send {
        T::run(self)
    }
}

type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<Option<u64>, TaskError>> + Send + 'a>>;

/// A [`Recurring`] as a trait object.
pub(super) trait AnyRecurring: Send + Sync {
    fn name(&self) -> &'static str;
    fn interval(&self) -> Option<Duration>;
    fn pause_after(&self, count: Option<u64>) -> Option<Duration>;
    fn run(&self) -> RunFuture<'_>;
}

impl<T: Recurring> AnyRecurring for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn interval(&self) -> Option<Duration> {
        Recurring::interval(self)
    }

    fn pause_after(&self, count: Option<u64>) -> Option<Duration> {
        Recurring::pause_after(self, count)
    }

    fn run(&self) -> RunFuture<'_> {
        Box::pin(Recurring::run(self))
    }
}
