//! Checks the replicas: leaves out those that are unreachable, behind or no replicas, and uses them again when they have recovered.

use std::{
    collections::VecDeque,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{
    Replica,
    state::{ReplicaProblem, ServerState},
};
use crate::{
    db::{Db, DbConnection, DbError, Dispatch, repositories::users, unit::Kind},
    domain::UserId,
};

/// Interval between checks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Maximum interval between checks of a replica that cannot be reached.
const MAX_INTERVAL: Duration = Duration::from_secs(15);
/// Maximum time of a check.
const LIMIT: Duration = Duration::from_secs(2);
/// Number of positions to remember: for an hour of constant writes.
const MAX_POSITIONS: usize = 3_600;

/// Checks the replicas of a database.
pub struct ReplicaMonitor {
    db: Db,
    /// The state of the primary at the last check that reached it, and the number of lost connections before it.
    primary: Option<(ServerState, u64)>,
    history: WalHistory,
    replicas: Vec<Checked>,
}

/// What is known about a replica.
#[derive(Clone)]
struct Checked {
    problem: Option<ReplicaProblem>,
    /// Number of checks in a row that could not reach it.
    failures: u32,
    due_at: Instant,
}

impl ReplicaMonitor {
    pub(super) fn new(db: Db) -> Self {
        // The replicas are not used until the first check.
        let unchecked = Checked { problem: Some(ReplicaProblem::NoPrimary), failures: 0, due_at: Instant::now() };
        let replicas = vec![unchecked; db.replicas.all.len()];
        Self { db, primary: None, history: WalHistory::default(), replicas }
    }

    /// Checks the replicas until the future is dropped.
    pub async fn run(mut self) {
        loop {
            self.check(Instant::now()).await;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Checks every replica now.
    pub async fn check_all(&mut self) {
        for checked in &mut self.replicas {
            checked.due_at = Instant::now();
        }
        self.check(Instant::now()).await;
    }

    /// Checks the replicas that are due.
    async fn check(&mut self, now: Instant) {
        let losses = self.db.manager.losses();
        // If the primary is slow or unavailable, the replicas remain as they are: they must not be excluded because of its load.
        if let Ok(Ok(state)) = tokio::time::timeout(LIMIT, self.db.read(ServerState::read)).await {
            self.history.record(state.timeline, state.position, Instant::now());
            // During a failover, DATABASE_URL can be a standby as well.
            self.primary = (!state.is_standby).then_some((state, losses));
        }
        let due = self.replicas.iter().map(|checked| checked.due_at <= now);
        let (db, primary, history) = (&self.db, self.primary.as_ref(), &self.history);
        let checks = self.db.replicas.all.iter().zip(due).map(|(replica, is_due)| async move {
            if is_due { Some(check(db, replica, primary, history).await) } else { None }
        });
        let results = join_all(checks).await;
        let losses = self.primary.as_ref().map(|(_, losses)| *losses);
        for ((replica, checked), result) in self.db.replicas.all.iter().zip(&mut self.replicas).zip(results) {
            let Some((result, lag)) = result else { continue };
            let is_available = result.is_ok();
            let is_missing = !matches!(result, Ok(()) | Err(ReplicaProblem::Primary));
            replica.is_missing.store(is_missing, Ordering::Relaxed);
            let verified = losses.filter(|_| is_available);
            replica.verified.send_if_modified(|current| std::mem::replace(current, verified) != verified);
            self.db.replicas.count(|metrics| match result {
                // Not a problem after a failover, if the setting contains all servers.
                Err(ReplicaProblem::Primary) => metrics.remove(&replica.name),
                _ => metrics.record_check(&replica.name, is_available, lag),
            });
            checked.apply(&replica.name, result.err(), now);
        }
    }
}

/// Checks a replica. Returns its lag as well, if it is a replica.
async fn check(
    db: &Db,
    replica: &Replica,
    primary: Option<&(ServerState, u64)>,
    history: &WalHistory,
) -> (Result<(), ReplicaProblem>, Option<Duration>) {
    let state = match read_state(db, replica).await {
        Ok(state) => state,
        Err(problem) => return (Err(problem), None),
    };
    let Some((primary, _)) = primary else { return (Err(ReplicaProblem::NoPrimary), None) };
    if let Err(problem) = state.check_replicates(primary) {
        return (Err(problem), None);
    }
    let lag = history.lag(state.position, Instant::now());
    let is_late = lag > db.options().max_replica_lag;
    let result = if is_late { Err(ReplicaProblem::Lag(lag)) } else { state.check_timeline(primary) };
    (result, Some(lag))
}

/// Reads the state of a replica, and whether its tables can be read.
async fn read_state(db: &Db, replica: &Replica) -> Result<ServerState, ReplicaProblem> {
    let read = |c: &mut DbConnection| {
        let state = ServerState::read(c)?;
        users::has_replayed(c, UserId::new(0), 0)?;
        Ok::<_, DbError>(state)
    };
    let dispatch = Dispatch { executor: &replica.executor, wait: LIMIT, replica: Some(&replica.name) };
    let reading = db.dispatch(dispatch, Kind::Read, "check_replica", read, None);
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(Ok(state)) => Ok(state),
        Ok(Err(error)) => Err(ReplicaProblem::Unreachable(error.to_string())),
        Err(_) => Err(ReplicaProblem::NoResponse(LIMIT)),
    }
}

impl Checked {
    /// Records the result of a check, and logs it if it is new.
    fn apply(&mut self, name: &str, problem: Option<ReplicaProblem>, now: Instant) {
        let kind = |problem: &Option<ReplicaProblem>| problem.as_ref().map(std::mem::discriminant);
        if kind(&problem) != kind(&self.problem) {
            match &problem {
                Some(problem) => tracing::warn!(replica = name, reason = %problem, "replica not used"),
                None => tracing::info!(replica = name, "replica available"),
            }
        }
        let is_unreachable = matches!(problem, Some(ReplicaProblem::Unreachable(_) | ReplicaProblem::NoResponse(_)));
        self.failures = if is_unreachable { self.failures.saturating_add(1) } else { 0 };
        let delay = INTERVAL.saturating_mul(1 << self.failures.saturating_sub(1).min(10)).min(MAX_INTERVAL);
        self.due_at = if self.failures > 1 { now + delay } else { now };
        self.problem = problem;
    }
}

/// Positions in the write-ahead log of the primary, and when they were read.
#[derive(Default)]
struct WalHistory {
    timeline: i32,
    positions: VecDeque<(Instant, i64)>,
}

impl WalHistory {
    fn record(&mut self, timeline: i32, position: i64, now: Instant) {
        let last = self.positions.back().map(|(_, position)| *position);
        // After a failover, positions of the previous primary mean nothing.
        if timeline != self.timeline || last.is_some_and(|last| position < last) {
            self.positions.clear();
            self.timeline = timeline;
        } else if last == Some(position) {
            return;
        }
        if self.positions.len() == MAX_POSITIONS {
            self.positions.pop_front();
        }
        self.positions.push_back((now, position));
    }

    /// Returns the age of the oldest position that is not replayed.
    fn lag(&self, replayed: i64, now: Instant) -> Duration {
        // Positions increase.
        let first = self.positions.partition_point(|(_, position)| *position <= replayed);
        self.positions.get(first).map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn lag_is_the_age_of_the_oldest_position_that_is_not_replayed() {
        let (start, mut history) = (Instant::now(), WalHistory::default());
        assert_eq!(history.lag(0, start), Duration::ZERO);
        for (second, position) in [(0, 100), (1, 200), (2, 200), (3, 300)] {
            history.record(1, position, start + SECOND * second);
        }
        let now = start + SECOND * 10;
        for (replayed, seconds) in [(99, 10), (100, 9), (199, 9), (200, 7), (299, 7), (300, 0), (400, 0)] {
            assert_eq!(history.lag(replayed, now), SECOND * seconds, "{replayed}");
        }
    }

    #[test]
    fn failover_starts_a_new_history() {
        let (start, mut history) = (Instant::now(), WalHistory::default());
        history.record(1, 100, start);
        history.record(2, 150, start + SECOND);
        assert_eq!(history.lag(0, start + SECOND), Duration::ZERO);
        // The new primary has less than the previous one.
        history.record(2, 120, start + SECOND * 2);
        assert_eq!(history.lag(119, start + SECOND * 5), SECOND * 3);
        assert_eq!(history.lag(120, start + SECOND * 5), Duration::ZERO);
    }

    #[test]
    fn unreachable_replica_is_checked_less_often() {
        let start = Instant::now();
        let mut checked = Checked { problem: None, failures: 0, due_at: start };
        let mut delays = Vec::new();
        for _ in 0..7 {
            checked.apply("db2", Some(ReplicaProblem::NoResponse(SECOND)), start);
            delays.push(checked.due_at.duration_since(start).as_secs());
        }
        assert_eq!(delays, [0, 2, 4, 8, 15, 15, 15]);
        // At every interval, so that it is used as soon as it has caught up.
        checked.apply("db2", Some(ReplicaProblem::Lag(SECOND)), start);
        assert_eq!((checked.due_at, checked.failures), (start, 0));
        checked.apply("db2", None, start);
        assert_eq!((checked.due_at, checked.problem), (start, None));
    }
}
