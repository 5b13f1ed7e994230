//! Checkpoints of SQLite in the background, so that commits do not wait for them.
//!
//! On its own, SQLite copies the write-ahead log into the database file within the commit that makes the log too long, and all callers
//! of that group wait for it. This thread copies while the writer appends. The writer still checkpoints a log of
//! 4,000 pages (`wal_autocheckpoint`): little is left to copy then, and afterwards the log starts from its beginning.

use std::{sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use diesel::{Connection as _, QueryableByName, RunQueryDsl, result::QueryResult, sql_query, sql_types::Integer};

use super::{
    DbConnection,
    connection::{Manager, PooledConnection},
};

/// Number of pages for which a checkpoint is worth its sync.
const MIN_PAGES: i32 = 1_000;
/// Minimum time between two checks of the log.
const INTERVAL: Duration = Duration::from_millis(5);
/// Time without a commit after which the connection is closed.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// A handle to the thread, which ends when the handle is dropped.
pub(super) struct Checkpointer(Arc<Sender<()>>);

impl Checkpointer {
    /// Starts the thread.
    pub(super) fn spawn(manager: &Manager) -> std::io::Result<Self> {
        let (sender, signals) = bounded(1);
        let sender = Arc::new(sender);
        let weak = Arc::downgrade(&sender);
        manager.storage.open_connections.on_replacement(move || {
            if let Some(sender) = weak.upgrade() {
                wake(&sender);
            }
        });
        let manager = manager.clone();
        thread::Builder::new().name("db-checkpointer".to_owned()).spawn(move || run(&manager, &signals))?;
        Ok(Self(sender))
    }

    /// Reports a commit. Does not wait.
    pub(super) fn notify(&self) {
        wake(&self.0);
    }
}

/// Wakes the thread after a commit, or if its connection must be closed.
fn wake(sender: &Sender<()>) {
    // If the thread has not seen an earlier signal yet, it will see both. Without the thread, the writer checkpoints.
    let (Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(()))) = sender.try_send(());
}

fn run(manager: &Manager, signals: &Receiver<()>) {
    let mut current: Option<PooledConnection> = None;
    loop {
        match signals.recv_timeout(MAX_IDLE) {
            Ok(()) => {
                current = check(manager, current.filter(|connection| manager.is_current(connection)));
                thread::sleep(INTERVAL);
            }
            Err(RecvTimeoutError::Timeout) => current = None,
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Checkpoints if the log is long enough. Returns the connection if it can be used again.
fn check(manager: &Manager, current: Option<PooledConnection>) -> Option<PooledConnection> {
    let mut pooled = match current {
        Some(connection) => connection,
        None => open(manager)?,
    };
    let DbConnection::Sqlite(c) = &mut pooled.connection else { return None };
    let mut checkpoint =
        |mode: &str| -> QueryResult<LogState> { sql_query(format!("PRAGMA wal_checkpoint({mode})")).get_result(c) };
    // The writer and its callers report a storage that cannot be written.
    let checked = checkpoint("NOOP").and_then(|state| {
        let is_due = state.log - state.checkpointed >= MIN_PAGES;
        if is_due { checkpoint("PASSIVE").map(drop) } else { Ok(()) }
    });
    checked.inspect_err(|error| tracing::debug!(%error, "background checkpoint failed")).ok().map(|()| pooled)
}

/// Opens a connection whose statements do not count, and whose errors are not those of a request.
fn open(manager: &Manager) -> Option<PooledConnection> {
    let mut pooled =
        manager.open().inspect_err(|error| tracing::debug!(%error, "background checkpoint failed")).ok()?;
    pooled.connection.set_instrumentation(|_: diesel::connection::InstrumentationEvent<'_>| {});
    Some(pooled)
}

/// The result of a checkpoint, in pages.
#[derive(QueryableByName)]
struct LogState {
    /// Length of the log.
    #[diesel(sql_type = Integer)]
    log: i32,
    /// Number of pages that are in the database file.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}
