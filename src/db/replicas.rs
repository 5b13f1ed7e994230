//! Reads on replicas: standbys of PostgreSQL that replay the changes of the primary with a delay.
//!
//! Each write increments the revision of its account in the same transaction, and a request reads the current revision from the primary
//! before anything else. Transactions of one account are committed and replayed in the order of its revisions. A replica that has
//! replayed that revision therefore has every change that the request must see. If it has not, or if anything fails, the unit of
//! work runs on the primary instead.

mod monitor;
mod state;

use std::{
    any::type_name_of_val,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{
    BatchableWork, Db, DbConnection, DbError, Dispatch, Options, Target,
    connection::Manager,
    executor::Executor,
    limits::Limits,
    postgres::SessionTimeouts,
    postgres_url::PostgresUrl,
    repositories::users,
    unit::{Batchable, Kind, Perform},
};
use crate::{domain::UserId, metrics::ReplicaMetrics};

pub use monitor::ReplicaMonitor;
pub use state::{ReplicaProblem, check_replicas};

/// Maximum time that a read waits for a connection to a replica before it runs on the primary.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// The revision of an account that a read must see, or a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinRevision {
    account: UserId,
    revision: i64,
}

impl MinRevision {
    #[must_use]
    pub const fn new(account: UserId, revision: i64) -> Self {
        Self { account, revision }
    }

    /// Returns the account whose data may be read.
    #[must_use]
    pub const fn account(self) -> UserId {
        self.account
    }
}

/// The replicas of a database.
#[derive(Clone)]
pub(super) struct Replicas {
    all: Arc<[Replica]>,
    /// The replica that the next read tries first.
    next: Arc<AtomicUsize>,
    /// Number of statements sent to replicas.
    statements: Arc<AtomicU64>,
    metrics: Option<ReplicaMetrics>,
}

/// A replica and its connections.
struct Replica {
    /// Its addresses, without credentials.
    name: String,
    executor: Executor,
    /// The number of lost connections to the primary before the last successful check. `None` while the replica is not used.
    verified: watch::Sender<Option<u64>>,
    /// Whether the last check has failed. Not if the server is a primary: after a failover, the setting may contain the new one.
    is_missing: AtomicBool,
}

/// Why a read runs on the primary.
#[derive(Clone, Copy, Debug)]
enum Fallback {
    /// No replica is available.
    Unavailable,
    /// The replica has not replayed the revision.
    Behind,
    /// All connections to the replica are in use.
    Busy,
    /// The unit of work has failed on the replica.
    Failed,
}

impl Fallback {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Behind => "behind",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

/// The error of a unit of work on a replica.
enum AttemptError {
    Database(DbError),
    /// The work has returned an error: because of the replica, or because of the request.
    Work,
}

impl From<DbError> for AttemptError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<diesel::result::Error> for AttemptError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Replicas {
    /// Starts the threads of each replica. Connections are opened on demand.
    pub(super) fn start(
        options: &Options,
        timeouts: SessionTimeouts,
        limits: Limits,
        metrics: Option<ReplicaMetrics>,
    ) -> std::io::Result<Self> {
        let statements = Arc::new(AtomicU64::new(0));
        let threads = options.pool_size.max(1) as usize;
        let start = |target: &Target| {
            let manager = Manager::new(target.clone(), timeouts, options.prepared, Arc::clone(&statements))
                .with_slow_statements(options.slow_query);
            let executor = Executor::replica(&manager, threads, limits)?;
            let name = name_of(target);
            if let Some(metrics) = &metrics {
                metrics.record_check(&name, false, None);
            }
            // Until the first check.
            let is_missing = AtomicBool::new(true);
            Ok(Replica { name, executor, verified: watch::Sender::new(None), is_missing })
        };
        let all = options.replicas.iter().map(start).collect::<std::io::Result<Vec<_>>>()?;
        Ok(Self { all: all.into(), next: Arc::default(), statements, metrics })
    }

    /// Returns an available replica, a different one each time. `losses` is the number of lost connections to the primary: after a loss, there may be
    /// another primary, so the replicas must be checked again.
    fn choose(&self, losses: u64) -> Option<&Replica> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.all.len();
        (0..count)
            .map(|offset| &self.all[first.wrapping_add(offset) % count])
            .find(|replica| replica.is_available(losses))
    }

    fn count(&self, count: impl FnOnce(&ReplicaMetrics)) {
        if let Some(metrics) = &self.metrics {
            count(metrics);
        }
    }
}

/// Returns the addresses of a replica, without credentials.
fn name_of(target: &Target) -> String {
    let url = match target {
        Target::Postgres(url) => PostgresUrl::parse(url),
        Target::Sqlite(_) => None,
    };
    url.map(|url| url.addresses().to_owned()).unwrap_or_default()
}

impl Replica {
    fn is_available(&self, losses: u64) -> bool {
        *self.verified.borrow() == Some(losses)
    }

    /// Leaves the replica out until the next check that succeeds. Ends the attempts that run on it.
    fn leave_out(&self) {
        self.verified.send_if_modified(|verified| verified.take().is_some());
    }

    /// Completes when the replica is no longer used.
    async fn left_out(&self) {
        // Fails only if the sender is dropped, which this replica owns.
        let _ = self.verified.subscribe().wait_for(Option::is_none).await;
    }
}

impl Db {
    /// Like [`Self::read`], for data of one account. Runs on a replica if one has replayed the account's `min_revision`. Without a minimum
    /// revision, runs on the primary.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run.
    pub async fn read_since<T, E>(
        &self,
        min_revision: Option<MinRevision>,
        work: impl FnMut(&mut DbConnection) -> Result<T, E> + Clone + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run_since(min_revision, Kind::Read, type_name_of_val(&work), work).await
    }

    /// Like [`Self::read_since`], but PostgreSQL can do the work together with that of other callers on the primary. The traced unit has the
    /// name of a closure.
    ///
    /// # Errors
    /// [`DbError`] if the work failed or did not run.
    pub async fn read_batchable_since_as<B: BatchableWork + Clone>(
        &self,
        min_revision: Option<MinRevision>,
        closure: &'static str,
        work: B,
    ) -> Result<B::Output, DbError> {
        self.run_since(min_revision, Kind::Read, closure, Batchable(work)).await
    }

    /// Like [`Self::snapshot`], for data of one account. Runs on a replica if one has replayed the account's `min_revision`. Without a
    /// minimum revision, runs on the primary.
    ///
    /// # Errors
    /// The errors of the unit of work; [`DbError`] if it did not run.
    pub async fn snapshot_since<T, E>(
        &self,
        min_revision: Option<MinRevision>,
        work: impl FnMut(&mut DbConnection) -> Result<T, E> + Clone + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        self.run_since(min_revision, Kind::Snapshot, type_name_of_val(&work), work).await
    }

    /// Returns the number of statements sent to replicas since the start.
    #[must_use]
    pub fn replica_statements(&self) -> u64 {
        self.replicas.statements.load(Ordering::Relaxed)
    }

    /// Returns whether every replica is used; `None` without replicas. A server that has become the primary is no replica.
    #[must_use]
    pub fn has_all_replicas(&self) -> Option<bool> {
        let replicas = &self.replicas.all;
        let is_used = |replica: &Replica| !replica.is_missing.load(Ordering::Relaxed);
        (!replicas.is_empty()).then(|| replicas.iter().all(is_used))
    }

    /// Returns the monitor of the replicas, which must run so that they are used. `None` without replicas.
    #[must_use]
    pub fn replica_monitor(&self) -> Option<ReplicaMonitor> {
        (!self.replicas.all.is_empty()).then(|| ReplicaMonitor::new(self.clone()))
    }

    async fn run_since<T, E>(
        &self,
        min_revision: Option<MinRevision>,
        kind: Kind,
        closure: &'static str,
        work: impl Perform<T, E> + Clone,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        if let Some(min_revision) = min_revision.filter(|_| !self.replicas.all.is_empty()) {
            match self.attempt(min_revision, kind, closure, work.clone()).await {
                Ok(value) => return Ok(value),
                Err(reason) => self.replicas.count(|metrics| metrics.count_fallback(reason.as_str())),
            }
        }
        self.run(&self.reads, kind, closure, work, None).await
    }

    /// Runs a unit of work on a replica. Any failure is a reason to run it on the primary: also an error of the work, which can be that of
    /// a statement.
    async fn attempt<T, E>(
        &self,
        min_revision: MinRevision,
        kind: Kind,
        closure: &'static str,
        mut work: impl Perform<T, E>,
    ) -> Result<T, Fallback>
    where
        T: Send + 'static,
        E: From<DbError> + From<diesel::result::Error> + Send + 'static,
    {
        let replica = self.replicas.choose(self.manager.losses()).ok_or(Fallback::Unavailable)?;
        // The revision is checked first, also without a transaction: the state of a replica never goes back.
        let checked = move |c: &mut DbConnection| -> Result<Option<T>, AttemptError> {
            if !users::has_replayed(c, min_revision.account, min_revision.revision)? {
                return Ok(None);
            }
            work.perform(c).map(Some).map_err(|_| AttemptError::Work)
        };
        let dispatch = Dispatch { executor: &replica.executor, wait: MAX_WAIT, replica: Some(&replica.name) };
        let result = tokio::select! {
            result = self.dispatch(dispatch, kind, closure, checked, None) => result,
            () = replica.left_out() => return Err(Fallback::Unavailable),
        };
        match result {
            Ok(Some(value)) => {
                self.replicas.count(|metrics| metrics.count_read(&replica.name));
                Ok(value)
            }
            Ok(None) => Err(Fallback::Behind),
            Err(AttemptError::Database(DbError::AcquireTimeout(_) | DbError::DeadlineExceeded)) => Err(Fallback::Busy),
            Err(AttemptError::Database(error)) => {
                tracing::debug!(replica = replica.name, %error, "read on a replica failed");
                replica.leave_out();
                Err(Fallback::Failed)
            }
            Err(AttemptError::Work) => Err(Fallback::Failed),
        }
    }
}
