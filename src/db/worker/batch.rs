//! Batches: units that share a statement.

use std::{sync::Arc, time::Instant};

use diesel::r2d2::R2D2Connection as _;

use super::Worker;
use crate::db::{
    DbError,
    failure::Failure,
    group,
    unit::Unit,
    unit_queue::{MAX_BATCH, Queue},
};

impl Worker {
    /// Runs a batch, which has one unit of each of its accounts, together with units that wait behind them. Units that must run alone
    /// return to the queues.
    pub(super) fn execute_batch(&mut self, queue: Queue, mut units: Vec<Box<dyn Unit>>) {
        let (post, crew) = (Arc::clone(&self.post), Arc::clone(&self.crew));
        post.with(|state| {
            state.accounts.extend(units.iter().filter_map(|unit| unit.account()));
            state.batch = Some(queue);
        });
        crew.accounts.complete(&mut units, MAX_BATCH);
        post.with(|state| state.waiting.extend(units.into_iter().map(|unit| (queue, unit))));
        let acquired = self.acquire(true);
        // Other threads have the units if this one was abandoned.
        let waiting = post.with(|state| std::mem::take(&mut state.waiting));
        let connection = match acquired {
            Ok(connection) => connection,
            Err(error) => {
                return waiting.into_iter().for_each(|(_, unit)| unit.finish(Err(DbError::unreachable(&error))));
            }
        };
        let mut units: Vec<_> = waiting.into_iter().filter_map(|(_, unit)| group::start(unit)).collect();
        post.with(|state| {
            state.busy = Some((Instant::now(), crew.limits.unit));
            state.running = units.iter().map(|unit| unit.call()).collect();
        });
        let Some((first, others)) = units.split_first_mut() else { return };
        let succeeded = first.run_batch(others, connection);
        connection.used_at = Instant::now();
        // From now on, this thread is not abandoned.
        let is_abandoned = post.with(|state| {
            state.busy = None;
            state.is_abandoned
        });
        let failure = connection.statements.failure();
        // Before the callers continue, so that their next units do not get another lost connection.
        if failure == Some(Failure::Connection) || connection.connection.is_broken() {
            self.connection = None;
            crew.manager.count_loss();
        }
        let mut alone = Vec::new();
        for unit in units {
            let end = if is_abandoned { End::of_abandoned(&*unit) } else { End::of(&*unit, succeeded, failure) };
            match end {
                End::Finished(result) => unit.finish(result),
                End::Alone => alone.push(unit),
            }
        }
        let (of_accounts, others): (Vec<_>, _) =
            alone.into_iter().filter_map(release).partition(|unit| unit.account().is_some());
        crew.accounts.return_units(of_accounts);
        for unit in others {
            crew.units.push_accepted(queue, unit);
        }
    }
}

/// How a unit of a batch continues.
enum End {
    Finished(Result<(), DbError>),
    /// The unit has made no change, and runs alone.
    Alone,
}

impl End {
    fn of(unit: &dyn Unit, succeeded: bool, failure: Option<Failure>) -> Self {
        match failure {
            Some(Failure::Conflict) if !succeeded => Self::Alone,
            Some(Failure::Connection) if !succeeded && !unit.is_autocommit() => Self::Alone,
            _ if unit.has_result() => Self::Finished(Ok(())),
            // The statement may have taken effect.
            Some(Failure::Connection) => {
                Self::Finished(Err(DbError::Unavailable("the connection was lost".to_owned())))
            }
            // Such as a timeout. Each of the others could take as long.
            Some(Failure::Temporary) => {
                Self::Finished(Err(DbError::Unavailable("the statement of several requests failed".to_owned())))
            }
            Some(Failure::Conflict | Failure::StorageFull | Failure::Query) | None => Self::Alone,
        }
    }

    /// The callers of units without a result have received an error.
    fn of_abandoned(unit: &dyn Unit) -> Self {
        Self::Finished(if unit.has_result() { Ok(()) } else { Err(DbError::DeadlineExceeded) })
    }
}

/// Makes a unit run alone; `None` if it is finished because its deadline has passed.
fn release(mut unit: Box<dyn Unit>) -> Option<Box<dyn Unit>> {
    unit.run_alone();
    if unit.release() {
        return Some(unit);
    }
    unit.finish(Err(DbError::DeadlineExceeded));
    None
}
