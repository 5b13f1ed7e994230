//! Executors: a bounded queue, the threads that run its units of work, and their pool of connections.
//!
//! Blocking database calls run on dedicated threads. Handing work to one takes about 3 µs, to the blocking pool of Tokio
//! 13 µs. There are as many threads as connections, so that no thread waits for a connection.

use std::{sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    DbError,
    connection::{Manager, PooledConnection},
    unit::Unit,
};

/// Number of units that may wait for each thread: enough to keep it busy, few enough to time out early.
const QUEUE_PER_THREAD: usize = 16;
/// Maximum number of write units that share a commit.
const MAX_GROUP_SIZE: usize = 64;

#[derive(Clone)]
pub(super) struct Executor {
    queue: Sender<Box<dyn Unit>>,
    permits: Arc<Semaphore>,
}

type Pool = r2d2::Pool<Manager>;

impl Executor {
    /// Creates an executor that runs units on `threads` threads, each in a separate transaction.
    pub(super) fn parallel(name: &str, pool: &Pool, manager: &Manager, threads: usize) -> std::io::Result<Self> {
        let (queue, units) = unbounded();
        for number in 0..threads {
            let (pool, manager, units) = (pool.clone(), manager.clone(), units.clone());
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || run_units(&pool, &manager, &units))?;
        }
        Ok(Self { queue, permits: Arc::new(Semaphore::new(threads * QUEUE_PER_THREAD)) })
    }

    /// Creates an executor that runs units on one thread. Waiting units share a transaction and its sync. Results are sent after the
    /// commit.
    pub(super) fn grouping(name: &str, pool: &Pool, manager: Manager) -> std::io::Result<Self> {
        let (queue, units) = unbounded();
        let pool = pool.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || run_groups(&pool, &manager, &units))?;
        Ok(Self { queue, permits: Arc::new(Semaphore::new(MAX_GROUP_SIZE * 4)) })
    }

    /// Waits for a free slot in the queue.
    pub(super) async fn permit(&self, timeout: Duration) -> Result<OwnedSemaphorePermit, DbError> {
        let permits = Arc::clone(&self.permits);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(permit);
        }
        match tokio::time::timeout(timeout, permits.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(DbError::AcquireTimeout(timeout)),
        }
    }

    pub(super) fn send(&self, unit: Box<dyn Unit>) -> Result<(), DbError> {
        self.queue.send(unit).map_err(|_| DbError::Unavailable("the database threads have stopped".to_owned()))
    }
}

fn unavailable(error: impl std::fmt::Display) -> DbError {
    DbError::Unavailable(error.to_string())
}

/// Checks the connection after a failure: if the server does not respond, the connection must not return to the pool.
fn check_connection(manager: &Manager, connection: &mut PooledConnection, succeeded: bool) {
    if !succeeded && !connection.connection.is_alive() {
        connection.is_dead = true;
        manager.count_death();
    }
}

/// Gets a connection from the pool. To save a round trip, connections are not checked. Only after one was found to be closed, each
/// connection that was opened earlier is checked once.
fn acquire(pool: &Pool, manager: &Manager) -> Result<r2d2::PooledConnection<Manager>, r2d2::Error> {
    loop {
        let mut connection = pool.get()?;
        let deaths = manager.deaths();
        if connection.deaths == deaths || connection.connection.is_alive() {
            connection.deaths = deaths;
            return Ok(connection);
        }
        connection.is_dead = true;
    }
}

fn run_units(pool: &Pool, manager: &Manager, units: &Receiver<Box<dyn Unit>>) {
    for unit in units {
        let Some(mut unit) = reject_overdue(unit) else { continue };
        match acquire(pool, manager) {
            Ok(mut connection) => {
                let succeeded = unit.run(&mut connection);
                // Before the caller continues, so that its next unit does not get another closed connection.
                check_connection(manager, &mut connection, succeeded);
                unit.finish(Ok(()));
            }
            Err(error) => unit.finish(Err(unavailable(error))),
        }
    }
}

/// Finishes a unit whose deadline has passed; returns any other.
fn reject_overdue(unit: Box<dyn Unit>) -> Option<Box<dyn Unit>> {
    if unit.is_overdue() {
        unit.finish(Err(DbError::DeadlineExceeded));
        return None;
    }
    Some(unit)
}

fn run_groups(pool: &Pool, manager: &Manager, units: &Receiver<Box<dyn Unit>>) {
    while let Ok(first) = units.recv() {
        let Some(first) = reject_overdue(first) else { continue };
        if !manager.is_intact() {
            first.finish(Err(unavailable("the database file was removed or replaced; restart the server")));
            continue;
        }
        let mut connection = match pool.get() {
            Ok(connection) => connection,
            Err(error) => {
                first.finish(Err(unavailable(error)));
                continue;
            }
        };
        // Fails if another process has held the write lock for too long, or if the file was removed.
        if let Err(error) = connection.connection.begin_group() {
            first.finish(Err(unavailable(error)));
            continue;
        }
        let mut group = Vec::with_capacity(1);
        let mut next = Some(first);
        let mut is_lost = false;
        while let Some(mut unit) = next {
            let succeeded = unit.run(&mut connection);
            group.push(unit);
            // The transaction was rolled back: further units would run outside of it and be committed separately.
            is_lost = !succeeded && connection.connection.has_lost_group();
            next = if !is_lost && group.len() < MAX_GROUP_SIZE { next_unit(units) } else { None };
        }
        let committed = if is_lost {
            connection.is_dead = true;
            Err(diesel::result::Error::RollbackTransaction)
        } else {
            connection.connection.commit_group()
        };
        if committed.is_err() && connection.connection.rollback_group().is_err() {
            connection.is_dead = true;
        }
        let failure = committed.err().map(|error| error.to_string());
        for unit in group {
            unit.finish(failure.as_ref().map_or(Ok(()), |reason| Err(unavailable(reason))));
        }
    }
}

/// Returns the next waiting unit whose deadline has not passed.
fn next_unit(units: &Receiver<Box<dyn Unit>>) -> Option<Box<dyn Unit>> {
    units.try_iter().find_map(reject_overdue)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::db::Target;

    type Log = Arc<Mutex<Vec<(&'static str, &'static str)>>>;

    /// Logs its calls.
    struct LoggingUnit {
        name: &'static str,
        is_overdue: bool,
        log: Log,
    }

    impl Unit for LoggingUnit {
        fn run(&mut self, _: &mut PooledConnection) -> bool {
            self.log.lock().unwrap().push((self.name, "run"));
            true
        }

        fn is_overdue(&self) -> bool {
            self.is_overdue
        }

        fn finish(self: Box<Self>, commit: Result<(), DbError>) {
            let result = match commit {
                Ok(()) => "committed",
                Err(DbError::DeadlineExceeded) => "deadline exceeded",
                Err(_) => "failed",
            };
            self.log.lock().unwrap().push((self.name, result));
        }
    }

    #[test]
    fn overdue_unit_in_a_group_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("group.db"));
        let manager = Manager::new(target, Duration::ZERO, Arc::default());
        let pool = r2d2::Pool::builder().max_size(1).build(manager.clone()).unwrap();
        let (queue, units) = unbounded::<Box<dyn Unit>>();
        let log = Log::default();
        for (name, is_overdue) in [("first", false), ("overdue", true), ("last", false)] {
            queue.send(Box::new(LoggingUnit { name, is_overdue, log: Arc::clone(&log) })).unwrap();
        }
        drop(queue);
        run_groups(&pool, &manager, &units);
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
