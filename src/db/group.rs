//! The writer of SQLite: units that wait share a transaction and its sync. Results are sent after the commit.

use crossbeam_channel::Receiver;

use super::{
    DbError,
    checkpointer::Checkpointer,
    connection::{FILE_REPLACED, Manager, PooledConnection},
    failure::Failure,
    reopening::STILL_IN_USE,
    unit::Unit,
};
use crate::metrics::DatabaseMetrics;

/// Maximum number of write units that share a commit.
pub(super) const MAX_GROUP_SIZE: usize = 64;

pub(super) fn run_groups(manager: &Manager, units: &Receiver<Box<dyn Unit>>, checkpointer: &Checkpointer) {
    let mut current: Option<PooledConnection> = None;
    while let Ok(first) = units.recv() {
        let Some(first) = start(first) else { continue };
        if !manager.is_intact() {
            first.finish(Err(DbError::Unavailable(FILE_REPLACED.to_owned())));
            continue;
        }
        if manager.storage.open_connections.must_be_replaced() {
            current = None;
            if !manager.storage.open_connections.replace() {
                first.finish(Err(DbError::Unavailable(STILL_IN_USE.to_owned())));
                continue;
            }
        }
        let opened = current.take().map_or_else(|| manager.open(), Ok);
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(error) => {
                first.finish(Err(DbError::unreachable(&error)));
                continue;
            }
        };
        connection.statements.reset();
        // Fails if another process has held the write lock for too long, or if the file was removed.
        if let Err(error) = connection.connection.begin_write() {
            first.finish(Err(DbError::rolled_back(&error)));
            current = Some(connection).filter(|c| c.statements.failure() != Some(Failure::Connection));
            continue;
        }
        let in_use = manager.metrics.as_ref().map(DatabaseMetrics::start_unit);
        let is_usable = run_group(&mut connection, first, units, manager.metrics.as_ref());
        drop(in_use);
        if is_usable {
            if connection.statements.has_slow() {
                manager.slow_statements.write(&mut connection);
            }
            current = Some(connection);
        }
        checkpointer.notify();
    }
}

/// Runs the units of a group. Returns whether the connection can be used for the next one.
fn run_group(
    connection: &mut PooledConnection,
    first: Box<dyn Unit>,
    units: &Receiver<Box<dyn Unit>>,
    metrics: Option<&DatabaseMetrics>,
) -> bool {
    let (mut group, mut next) = (Vec::with_capacity(1), Some(first));
    let (mut is_lost, mut is_usable) = (false, true);
    while let Some(mut unit) = next {
        let succeeded = unit.run(connection);
        group.push(unit);
        if !succeeded {
            is_usable &= connection.statements.failure() != Some(Failure::Connection);
            // The transaction was rolled back: further units would run outside of it and be committed separately.
            is_lost = connection.connection.has_lost_transaction();
        }
        next = if !is_lost && group.len() < MAX_GROUP_SIZE { next_unit(units) } else { None };
    }
    if let Some(metrics) = metrics {
        metrics.record_group(group.len());
    }
    let committed = if is_lost {
        is_usable = false;
        Err(diesel::result::Error::RollbackTransaction)
    } else {
        connection.statements.reset();
        connection.connection.commit()
    };
    if committed.is_err() {
        is_usable &= connection.statements.failure() != Some(Failure::Connection);
        is_usable &= connection.connection.rollback().is_ok();
    }
    let failure = committed.err();
    for unit in group {
        unit.finish(failure.as_ref().map_or(Ok(()), |error| Err(DbError::rolled_back(error))));
    }
    is_usable
}

/// Starts a unit, or finishes it if its deadline has passed.
pub(super) fn start(mut unit: Box<dyn Unit>) -> Option<Box<dyn Unit>> {
    if unit.is_overdue() || !unit.start() {
        unit.finish(Err(DbError::DeadlineExceeded));
        return None;
    }
    Some(unit)
}

/// Returns the next waiting unit whose deadline has not passed.
fn next_unit(units: &Receiver<Box<dyn Unit>>) -> Option<Box<dyn Unit>> {
    units.try_iter().find_map(start)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, Mutex},
        time::Duration,
    };

    use crossbeam_channel::unbounded;

    use super::*;
    use crate::db::PreparedStatements;
    use crate::db::{Target, postgres::SessionTimeouts, unit::Expire};

    type Log = Arc<Mutex<Vec<(&'static str, &'static str)>>>;

    /// Logs its calls.
    struct LoggingUnit {
        name: &'static str,
        is_overdue: bool,
        log: Log,
    }

    struct NoCall;

    impl Expire for NoCall {
        fn expire(&self, _: Duration) {}
    }

    impl Unit for LoggingUnit {
        fn is_overdue(&self) -> bool {
            self.is_overdue
        }

        fn start(&mut self) -> bool {
            true
        }

        fn run(&mut self, _: &mut PooledConnection) -> bool {
            self.log.lock().unwrap().push((self.name, "run"));
            true
        }

        fn finish(self: Box<Self>, commit: Result<(), DbError>) {
            let result = match commit {
                Ok(()) => "committed",
                Err(DbError::DeadlineExceeded) => "deadline exceeded",
                Err(_) => "failed",
            };
            self.log.lock().unwrap().push((self.name, result));
        }

        fn call(&self) -> Arc<dyn Expire> {
            Arc::new(NoCall)
        }
    }

    #[test]
    fn overdue_unit_in_a_group_is_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(directory.path().join("group.db"));
        let manager = Manager::new(target, SessionTimeouts::default(), PreparedStatements::Auto, Arc::default());
        let (queue, units) = unbounded::<Box<dyn Unit>>();
        let log = Log::default();
        for (name, is_overdue) in [("first", false), ("overdue", true), ("last", false)] {
            queue.send(Box::new(LoggingUnit { name, is_overdue, log: Arc::clone(&log) })).unwrap();
        }
        drop(queue);
        run_groups(&manager, &units, &Checkpointer::spawn(&manager).unwrap());
        assert_eq!(
            *log.lock().unwrap(),
            [
                ("first", "run"),
                ("overdue", "deadline exceeded"),
                ("last", "run"),
                ("first", "committed"),
                ("last", "committed"),
            ]
        );
    }
}
