//! Executors: bounded queues of units of work, and the threads that run them.
//!
//! Blocking database calls run on dedicated threads. Handing work to one takes about 3 µs, to the blocking pool of Tokio
//! 13 µs. Each thread has its own connection, so that no thread waits for one.

use std::{sync::Arc, thread, time::Duration};

use crossbeam_channel::{Sender, unbounded};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    DbError,
    account_queues::AccountQueues,
    checkpointer::Checkpointer,
    connection::Manager,
    group::{self, MAX_GROUP_SIZE},
    limits::Limits,
    unit::Unit,
    unit_queue::{Queue, Role, UnitQueue},
    worker::Crew,
};

/// Number of units that may wait for each thread: enough to keep it busy, few enough to time out early.
const QUEUE_PER_THREAD: usize = 16;
/// One of so many threads runs only reads, and another one only writes.
const THREADS_PER_RESERVE: usize = 4;

/// Where units are sent. The threads end when this is dropped.
pub(super) struct Queues {
    units: Arc<UnitQueue>,
    /// The writer of SQLite, which runs all writes.
    writer: Option<Sender<Box<dyn Unit>>>,
    /// Only on PostgreSQL: SQLite has one writer.
    accounts: Option<Arc<AccountQueues>>,
}

impl Queues {
    pub(super) fn send(&self, queue: Queue, unit: Box<dyn Unit>) -> Result<(), DbError> {
        let unit = match &self.accounts {
            Some(accounts) => accounts.add(unit),
            None => Some(unit),
        };
        let Some(unit) = unit else { return Ok(()) };
        let is_sent = match &self.writer {
            Some(writer) if queue == Queue::Writes => writer.send(unit).is_ok(),
            _ => self.units.push(queue, unit),
        };
        if is_sent { Ok(()) } else { Err(DbError::Unavailable("the database threads have stopped".to_owned())) }
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        self.units.close();
    }
}

/// A bounded queue.
#[derive(Clone)]
pub(super) struct Executor {
    queues: Arc<Queues>,
    queue: Queue,
    permits: Arc<Semaphore>,
}

impl Executor {
    /// Creates the executors of reads and writes on PostgreSQL, which share `threads` threads. Some of the threads are
    /// reserved for one of the two.
    pub(super) fn postgres(manager: &Manager, threads: usize, limits: Limits) -> std::io::Result<(Self, Self)> {
        let crew = Arc::new(Crew::new("db", manager.clone(), limits));
        let (readers, writers) =
            (threads.div_ceil(THREADS_PER_RESERVE).min(threads - 1), threads / THREADS_PER_RESERVE);
        let roles = [(Role::Reads, readers), (Role::Writes, writers), (Role::All, threads - readers - writers)];
        for (role, count) in roles {
            for _ in 0..count {
                crew.spawn(role)?;
            }
        }
        let (units, accounts) = (Arc::clone(&crew.units), Some(Arc::clone(&crew.accounts)));
        let queues = Arc::new(Queues { units, writer: None, accounts });
        crew.spawn_watchdog(Arc::downgrade(&queues))?;
        let (for_reads, for_writes) = (threads - writers, threads - readers);
        Ok((Self::new(&queues, Queue::Reads, for_reads), Self::new(&queues, Queue::Writes, for_writes)))
    }

    /// Creates the executor of reads on a replica.
    pub(super) fn replica(manager: &Manager, threads: usize, limits: Limits) -> std::io::Result<Self> {
        let crew = Arc::new(Crew::new("db-replica", manager.clone(), limits));
        for _ in 0..threads {
            crew.spawn(Role::Reads)?;
        }
        let queues = Arc::new(Queues { units: Arc::clone(&crew.units), writer: None, accounts: None });
        crew.spawn_watchdog(Arc::downgrade(&queues))?;
        Ok(Self::new(&queues, Queue::Reads, threads))
    }

    /// Creates the executors of reads and writes on SQLite: `readers` threads, and one writer. Writes that wait share a transaction
    /// and its sync.
    pub(super) fn sqlite(manager: &Manager, readers: usize, limits: Limits) -> std::io::Result<(Self, Self)> {
        let crew = Arc::new(Crew::new("db", manager.clone(), limits));
        let (writer, writes) = unbounded();
        for _ in 0..readers {
            crew.spawn(Role::Reads)?;
        }
        let (manager, checkpointer) = (manager.clone(), Checkpointer::spawn(manager)?);
        thread::Builder::new()
            .name("db-writer".to_owned())
            .spawn(move || group::run_groups(&manager, &writes, &checkpointer))?;
        let queues = Arc::new(Queues { units: Arc::clone(&crew.units), writer: Some(writer), accounts: None });
        let writer_permits = MAX_GROUP_SIZE * 4 / QUEUE_PER_THREAD;
        Ok((Self::new(&queues, Queue::Reads, readers), Self::new(&queues, Queue::Writes, writer_permits)))
    }

    fn new(queues: &Arc<Queues>, queue: Queue, threads: usize) -> Self {
        let permits = Arc::new(Semaphore::new(threads * QUEUE_PER_THREAD));
        Self { queues: Arc::clone(queues), queue, permits }
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
        self.queues.send(self.queue, unit)
    }
}
