//! A lane: a bounded queue, the threads that work it off, and their pool of connections.
//!
//! Blocking database calls run on threads of their own: a hop to one costs about 3 µs where the runtime's blocking pool
//! costs 13, and as many threads as connections means that nobody waits for a connection with a thread in hand.

use std::{sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    DbError,
    connection::{Held, Manager},
    unit::Unit,
};

/// How many units may wait for each thread: enough to keep it busy, few enough to say "busy" early.
const QUEUE_PER_THREAD: usize = 16;
/// How many write units share one commit at most.
const GROUP: usize = 64;

#[derive(Clone)]
pub(super) struct Lane {
    queue: Sender<Box<dyn Unit>>,
    permits: Arc<Semaphore>,
}

type Pool = r2d2::Pool<Manager>;

impl Lane {
    /// Each unit for itself, on `threads` connections.
    pub(super) fn parallel(name: &str, pool: &Pool, manager: &Manager, threads: usize) -> std::io::Result<Self> {
        let (queue, units) = unbounded();
        for number in 0..threads {
            let (pool, manager, units) = (pool.clone(), manager.clone(), units.clone());
            thread::Builder::new().name(format!("{name}-{number}")).spawn(move || work_off(&pool, &manager, &units))?;
        }
        Ok(Self { queue, permits: Arc::new(Semaphore::new(threads * QUEUE_PER_THREAD)) })
    }

    /// One thread; units that wait together share a transaction and its sync. Each is answered after its own is durable.
    pub(super) fn grouping(name: &str, pool: &Pool, manager: Manager) -> std::io::Result<Self> {
        let (queue, units) = unbounded();
        let pool = pool.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || work_off_in_groups(&pool, &manager, &units))?;
        Ok(Self { queue, permits: Arc::new(Semaphore::new(GROUP * 4)) })
    }

    /// A place in the queue, or [`DbError::AcquireTimeout`].
    pub(super) async fn place(&self, timeout: Duration) -> Result<OwnedSemaphorePermit, DbError> {
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

/// A failure may mean that the server is gone; then the connection must not go back into the pool.
fn check(manager: &Manager, held: &mut Held, succeeded: bool) {
    if !succeeded && !held.connection.is_alive() {
        held.dead = true;
        manager.count_death();
    }
}

/// A connection from the pool. None is asked whether it lives, which costs a round trip, until one was found dead: then so may
/// be all that were opened before, and each is asked once.
fn connection(pool: &Pool, manager: &Manager) -> Result<r2d2::PooledConnection<Manager>, r2d2::Error> {
    loop {
        let mut held = pool.get()?;
        let deaths = manager.deaths();
        if held.deaths == deaths || held.connection.is_alive() {
            held.deaths = deaths;
            return Ok(held);
        }
        held.dead = true;
    }
}

fn work_off(pool: &Pool, manager: &Manager, units: &Receiver<Box<dyn Unit>>) {
    for mut unit in units {
        if unit.is_overdue() {
            unit.finish(Err(DbError::DeadlineExceeded));
            continue;
        }
        match connection(pool, manager) {
            Ok(mut held) => {
                let succeeded = unit.run(&mut held);
                unit.finish(Ok(()));
                check(manager, &mut held, succeeded);
            }
            Err(error) => unit.finish(Err(unavailable(error))),
        }
    }
}

fn work_off_in_groups(pool: &Pool, manager: &Manager, units: &Receiver<Box<dyn Unit>>) {
    while let Ok(first) = units.recv() {
        if first.is_overdue() {
            first.finish(Err(DbError::DeadlineExceeded));
            continue;
        }
        if !manager.is_intact() {
            first.finish(Err(unavailable("the database file was removed or replaced; start the server again")));
            continue;
        }
        let mut held = match pool.get() {
            Ok(held) => held,
            Err(error) => {
                first.finish(Err(unavailable(error)));
                continue;
            }
        };
        // Another process has had the write lock for too long, or the file is gone.
        if let Err(error) = held.connection.begin_group() {
            first.finish(Err(unavailable(error)));
            continue;
        }
        let mut group = Vec::with_capacity(1);
        let mut next = Some(first);
        let mut lost = false;
        while let Some(mut unit) = next {
            let succeeded = unit.run(&mut held);
            group.push(unit);
            // What comes after would be written for itself, and nobody would be told.
            lost = !succeeded && held.connection.has_lost_group();
            next = if !lost && group.len() < GROUP { units.try_recv().ok() } else { None };
        }
        let committed = if lost {
            held.dead = true;
            Err(diesel::result::Error::RollbackTransaction)
        } else {
            held.connection.commit_group()
        };
        if committed.is_err() && held.connection.rollback_group().is_err() {
            held.dead = true;
        }
        let failure = committed.err().map(|error| error.to_string());
        for unit in group {
            unit.finish(failure.as_ref().map_or(Ok(()), |reason| Err(unavailable(reason))));
        }
    }
}
