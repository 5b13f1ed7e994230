//! Units of one account that share a transaction.

use std::{sync::Arc, time::Instant};

use diesel::r2d2::R2D2Connection as _;

use super::Worker;
use crate::db::{DbError, connection::PooledConnection, failure::Failure, group, unit::Unit, unit_queue::Queue};

/// The end of a shared transaction.
enum End {
    Committed,
    /// The transaction was rolled back because of a unit. Each unit can run alone.
    RolledBack,
    /// The transaction was rolled back because of a condition that concerns all units.
    Failed(&'static str),
    /// The result of the commit may be unknown.
    CommitFailed(diesel::result::Error),
}

impl Worker {
    /// Runs the first unit of an account, and those that can share its transaction.
    pub(super) fn execute_for_account(&mut self, account: i64, first: Box<dyn Unit>) {
        self.post.with(|state| state.account = Some(account));
        let mut units = self.crew.accounts.join(account, first);
        if units.len() > 1 {
            return self.execute_shared(units);
        }
        if let Some(unit) = units.pop() {
            self.execute(Queue::Writes, unit, false);
        }
    }

    fn execute_shared(&mut self, units: Vec<Box<dyn Unit>>) {
        let (post, crew) = (Arc::clone(&self.post), Arc::clone(&self.crew));
        post.with(|state| state.waiting.extend(units.into_iter().map(|unit| (Queue::Writes, unit))));
        let acquired = self.acquire(false);
        // Other threads have the units if this one was abandoned.
        let waiting = post.with(|state| std::mem::take(&mut state.waiting));
        let connection = match acquired {
            Ok(connection) => connection,
            Err(error) => {
                return waiting.into_iter().for_each(|(_, unit)| unit.finish(Err(DbError::unreachable(&error))));
            }
        };
        let mut units: Vec<_> = waiting.into_iter().filter_map(|(_, unit)| group::start(unit)).collect();
        if units.is_empty() {
            return;
        }
        post.with(|state| {
            state.busy = Some((Instant::now(), crew.limits.unit));
            state.running = units.iter().map(|unit| unit.call()).collect();
        });
        let end = run(connection, &mut units, || post.with(|state| state.is_abandoned));
        connection.used_at = Instant::now();
        let failure = connection.statements.failure();
        if failure == Some(Failure::Connection) || connection.connection.is_broken() {
            self.connection = None;
            crew.manager.count_loss();
        }
        for unit in units {
            match &end {
                End::Committed => unit.finish(Ok(())),
                End::RolledBack => self.execute(Queue::Writes, unit, true),
                End::Failed(reason) => unit.finish(Err(DbError::Unavailable((*reason).to_owned()))),
                End::CommitFailed(error) => unit.finish(Err(DbError::rolled_back(error))),
            }
        }
    }
}

/// Runs units in one transaction.
fn run(connection: &mut PooledConnection, units: &mut [Box<dyn Unit>], is_abandoned: impl Fn() -> bool) -> End {
    connection.statements.reset();
    if connection.connection.begin(connection.begin.write.as_deref()).is_err() {
        return End::RolledBack;
    }
    let succeeded = units.iter_mut().all(|unit| unit.run_shared(connection));
    let failure = connection.statements.failure();
    let is_abandoned = is_abandoned();
    if succeeded && !is_abandoned {
        connection.statements.reset();
        return match connection.connection.commit_group() {
            Ok(()) => End::Committed,
            Err(error) => End::CommitFailed(error),
        };
    }
    if failure != Some(Failure::Connection) {
        // If this fails, the connection is broken, and is replaced.
        let _ = connection.connection.rollback_group();
    }
    match failure {
        _ if is_abandoned => End::Failed("the transaction took too long"),
        // Such as a timeout. Each of the others could take as long.
        Some(Failure::Temporary) => End::Failed("another statement of the same transaction failed"),
        Some(Failure::Conflict | Failure::Connection | Failure::StorageFull | Failure::Query) | None => End::RolledBack,
    }
}
