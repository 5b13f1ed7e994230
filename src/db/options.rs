//! The location and the limits of a database.

use std::time::Duration;

use super::{PreparedStatements, Target};

/// The location of the database, and its timeouts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The location of the database.
    pub target: Target,
    /// Number of connections (SQLite: of readers, in addition to one writer).
    pub pool_size: u32,
    /// Whether statements are prepared (PostgreSQL).
    pub prepared: PreparedStatements,
    /// Maximum time that a unit of work waits before it starts.
    pub acquire_timeout: Duration,
    /// Maximum time to open a connection, over all addresses of the server. libpq's `connect_timeout` limits each address separately.
    pub open_timeout: Duration,
    /// Time without a unit of work after which a connection is checked before its next one.
    pub check_after: Duration,
    /// Maximum run time of a statement (PostgreSQL).
    pub statement_timeout: Duration,
    /// Maximum time that a statement waits for a lock (PostgreSQL).
    pub lock_timeout: Duration,
    /// Maximum run time of a unit of work (PostgreSQL).
    pub transaction_timeout: Duration,
    /// Time after which an unused connection is closed.
    pub idle_timeout: Duration,
    /// Time after which a connection is replaced.
    pub max_lifetime: Duration,
    /// Minimum run time of a statement that is logged as slow; zero for never.
    pub slow_query: Duration,
    /// The replicas of the PostgreSQL server.
    pub replicas: Vec<Target>,
    /// Maximum replication lag. A replica that lags further behind is not used for reads.
    pub max_replica_lag: Duration,
}

impl Options {
    /// Returns options with the defaults of the configuration.
    #[must_use]
    pub const fn new(target: Target, pool_size: u32) -> Self {
        let seconds = Duration::from_secs;
        Self {
            target,
            pool_size,
            prepared: PreparedStatements::Auto,
            acquire_timeout: seconds(5),
            open_timeout: seconds(15),
            check_after: seconds(1),
            statement_timeout: seconds(10),
            lock_timeout: seconds(5),
            transaction_timeout: seconds(15),
            idle_timeout: seconds(300),
            max_lifetime: seconds(1_800),
            slow_query: Duration::from_millis(500),
            replicas: Vec::new(),
            max_replica_lag: seconds(10),
        }
    }
}
