//! The state of a PostgreSQL server in its cluster, and what prevents its use as a replica.

use std::{sync::Arc, thread, time::Duration};

use diesel::{
    QueryableByName, RunQueryDsl, sql_query,
    sql_types::{BigInt, Bool, Integer, Text},
};

use super::name_of;
use crate::db::{
    DbConnection, DbError, Options, PreparedStatements, Target, connection::Manager, migrations::one_line,
    postgres::SessionTimeouts, run_within,
};

/// Maximum time to connect to a replica and to read its state, before the server starts.
const START_LIMIT: Duration = Duration::from_secs(5);

/// What prevents the use of a server as a replica.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplicaProblem {
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("no response within {} seconds", .0.as_secs())]
    NoResponse(Duration),
    #[error("the server is a primary, not a standby")]
    Primary,
    #[error(
        "the server belongs to another cluster: its system identifier is {found}, that of DATABASE_URL is {expected}"
    )]
    OtherCluster { found: i64, expected: i64 },
    #[error("the database or its schema differs from that of DATABASE_URL")]
    OtherDatabase,
    /// After a failover, until the replica has followed the new primary.
    #[error("the replica is on timeline {found}, the primary on {expected}")]
    OtherTimeline { found: i32, expected: i32 },
    #[error("the replica is {} seconds behind", .0.as_secs())]
    Lag(Duration),
    /// The primary could not be read yet, so there is nothing to compare with.
    #[error("the primary is unavailable")]
    NoPrimary,
}

impl ReplicaProblem {
    /// Returns whether the server can never be a replica of the database, so that the setting is wrong. A primary can: after a failover,
    /// the setting may contain the new one.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self, Self::OtherCluster { .. } | Self::OtherDatabase)
    }
}

/// The state of a server. Every role may read it.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub(super) struct ServerState {
    /// Identifies a cluster: a standby has the same as its primary.
    #[diesel(sql_type = BigInt)]
    system_identifier: i64,
    #[diesel(sql_type = Bool)]
    pub(super) is_standby: bool,
    /// The number of promotions in the history of the server. Of a standby, that of the last restartpoint, or later.
    #[diesel(sql_type = Integer)]
    pub(super) timeline: i32,
    /// The position in the write-ahead log: written by a primary, replayed by a standby.
    #[diesel(sql_type = BigInt)]
    pub(super) position: i64,
    #[diesel(sql_type = BigInt)]
    database: i64,
    #[diesel(sql_type = Text)]
    schema: String,
}

const QUERY: &str = "SELECT system.system_identifier, pg_is_in_recovery() AS is_standby, \
     CASE WHEN pg_is_in_recovery() THEN greatest(checkpoint.timeline_id, recovery.min_recovery_end_timeline) \
     ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer END AS timeline, \
     coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0', 0)::bigint \
     AS position, (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database, \
     coalesce(current_schema()::text, '') AS schema \
     FROM pg_control_system() system, pg_control_checkpoint() checkpoint, pg_control_recovery() recovery";

impl ServerState {
    pub(super) fn read(c: &mut DbConnection) -> Result<Self, DbError> {
        match c {
            DbConnection::Postgres(c) => Ok(sql_query(QUERY).get_result(c)?),
            DbConnection::Sqlite(_) => Err(DbError::Unavailable("SQLite has no replicas".to_owned())),
        }
    }

    /// Checks that this server is a standby of `primary`.
    pub(super) fn check_replicates(&self, primary: &Self) -> Result<(), ReplicaProblem> {
        if self.system_identifier != primary.system_identifier {
            let (found, expected) = (self.system_identifier, primary.system_identifier);
            return Err(ReplicaProblem::OtherCluster { found, expected });
        }
        if (self.database, &self.schema) != (primary.database, &primary.schema) {
            return Err(ReplicaProblem::OtherDatabase);
        }
        if !self.is_standby {
            return Err(ReplicaProblem::Primary);
        }
        Ok(())
    }

    /// Checks that this standby has followed the last failover. One that has received more than the new primary cannot follow it, and
    /// could have other transactions with the same revisions.
    pub(super) fn check_timeline(&self, primary: &Self) -> Result<(), ReplicaProblem> {
        let (found, expected) = (self.timeline, primary.timeline);
        if found == expected { Ok(()) } else { Err(ReplicaProblem::OtherTimeline { found, expected }) }
    }
}

/// Checks every replica of a database, before the server starts. Returns the names of the replicas with their problems.
#[must_use]
pub fn check_replicas(options: &Options) -> Vec<(String, Result<(), ReplicaProblem>)> {
    let targets = std::iter::once(&options.target).chain(&options.replicas);
    let names = options.replicas.iter().map(name_of);
    // At the same time: each of them may not respond.
    let states: Vec<_> = targets.map(start_reading).collect();
    let mut states = states.into_iter().map(|state| state.join().unwrap_or(Err(ReplicaProblem::NoPrimary)));
    let primary = states.next().unwrap_or(Err(ReplicaProblem::NoPrimary));
    let check = |replica: Result<ServerState, _>| match (&primary, replica?) {
        // Before a failover has ended, DATABASE_URL can be a standby as well.
        (Ok(primary), replica) => replica.check_replicates(primary),
        (Err(_), _) => Err(ReplicaProblem::NoPrimary),
    };
    names.zip(states.map(check)).collect()
}

fn start_reading(target: &Target) -> thread::JoinHandle<Result<ServerState, ReplicaProblem>> {
    let manager = Manager::new(target.clone(), SessionTimeouts::default(), PreparedStatements::Auto, Arc::default());
    thread::spawn(move || {
        let read = move || {
            let mut opened = manager.open().map_err(|error| ReplicaProblem::Unreachable(one_line(&error)))?;
            ServerState::read(&mut opened.connection).map_err(|error| ReplicaProblem::Unreachable(error.to_string()))
        };
        run_within(START_LIMIT, read).unwrap_or(Err(ReplicaProblem::NoResponse(START_LIMIT)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(is_standby: bool, timeline: i32) -> ServerState {
        let schema = "public".to_owned();
        ServerState { system_identifier: 7, is_standby, timeline, position: 100, database: 5, schema }
    }

    #[test]
    fn replica_is_a_standby_of_the_same_database() {
        let primary = state(false, 1);
        assert_eq!(state(true, 1).check_replicates(&primary), Ok(()));
        assert_eq!(state(false, 1).check_replicates(&primary), Err(ReplicaProblem::Primary));
        let other = ServerState { system_identifier: 8, ..state(true, 1) };
        let problem = ReplicaProblem::OtherCluster { found: 8, expected: 7 };
        assert_eq!(other.check_replicates(&primary), Err(problem.clone()));
        assert!(problem.is_permanent() && !ReplicaProblem::Primary.is_permanent());
        for other in [
            ServerState { database: 6, ..state(true, 1) },
            ServerState { schema: "other".to_owned(), ..state(true, 1) },
        ] {
            assert_eq!(other.check_replicates(&primary), Err(ReplicaProblem::OtherDatabase));
        }
    }

    #[test]
    fn replica_must_follow_a_failover() {
        let promoted = state(false, 2);
        assert_eq!(state(true, 2).check_timeline(&promoted), Ok(()));
        let problem = ReplicaProblem::OtherTimeline { found: 1, expected: 2 };
        assert_eq!(state(true, 1).check_timeline(&promoted), Err(problem));
    }
}
