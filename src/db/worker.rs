//! Database threads. Each has its own connection and runs one unit of work at a time.
//!
//! A call to PostgreSQL cannot be interrupted: libpq waits until the server responds or the operating system gives the
//! connection up. A thread that waits for too long is therefore abandoned: its caller gets an error, another thread takes its
//! place with a new connection, and the abandoned thread ends when its call returns.

mod batch;

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::{ConnectionError, r2d2::R2D2Connection as _};

use super::{
    DbError,
    account_queues::AccountQueues,
    connection::{Manager, PooledConnection},
    executor::Queues,
    failure::Failure,
    limits::Limits,
    unit::{Expire, Unit},
    unit_queue::{Next, Queue, Role, UnitQueue},
};
use crate::metrics::DatabaseMetrics;

/// Maximum time to check a connection.
const CHECK_LIMIT: Duration = Duration::from_secs(1);
/// Maximum number of times that a unit is repeated because of concurrent transactions.
const MAX_CONFLICTS: u32 = 3;
/// Maximum number of abandoned threads for each thread.
const MAX_ABANDONED_PER_THREAD: usize = 8;
/// Interval between checks for threads that wait for too long.
const MAX_WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// The threads of an executor.
pub(super) struct Crew {
    pub(super) name: &'static str,
    pub(super) manager: Manager,
    pub(super) units: Arc<UnitQueue>,
    pub(super) limits: Limits,
    pub(super) accounts: Arc<AccountQueues>,
    posts: Mutex<Posts>,
    spawned: AtomicUsize,
}

/// The threads of a crew, by their state.
#[derive(Default)]
struct Posts {
    active: Vec<(Role, Arc<Post>)>,
    abandoned: usize,
    /// Threads that were not replaced, because too many are abandoned.
    vacant: Vec<Role>,
}

/// What a thread leaves when it is abandoned.
struct Abandoned {
    waiting: WaitingUnits,
    accounts: Vec<i64>,
    batch: Option<Queue>,
}

/// Units and the queues that they come from.
type WaitingUnits = Vec<(Queue, Box<dyn Unit>)>;

/// What a thread does at the moment.
#[derive(Default)]
struct Post(Mutex<PostState>);

#[derive(Default)]
struct PostState {
    /// The start and the limit of the current call.
    busy: Option<(Instant, Duration)>,
    /// The units that wait for a connection.
    waiting: WaitingUnits,
    /// The callers of the units that run.
    running: Vec<Arc<dyn Expire>>,
    /// The accounts whose units run.
    accounts: Vec<i64>,
    /// The queue of the units that run, if they are a batch.
    batch: Option<Queue>,
    is_abandoned: bool,
}

impl Post {
    fn with<T>(&self, change: impl FnOnce(&mut PostState) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn limit(&self, limit: Duration) {
        self.with(|state| state.busy = Some((Instant::now(), limit)));
    }

    /// Abandons the thread if its current call takes too long.
    fn abandon_overdue(&self, now: Instant) -> Option<Abandoned> {
        self.with(|state| {
            let (since, limit) = state.busy.filter(|(since, limit)| now.duration_since(*since) > *limit)?;
            tracing::warn!(
                seconds = now.duration_since(since).as_secs(),
                "database does not respond; connection dropped"
            );
            state.is_abandoned = true;
            state.busy = None;
            for call in state.running.drain(..) {
                call.expire(limit);
            }
            Some(Abandoned {
                waiting: std::mem::take(&mut state.waiting),
                accounts: std::mem::take(&mut state.accounts),
                batch: state.batch.take(),
            })
        })
    }
}

impl Crew {
    pub(super) fn new(name: &'static str, manager: Manager, limits: Limits) -> Self {
        let units = Arc::<UnitQueue>::default();
        let idle = Arc::downgrade(&units);
        // Threads close their connections when all of them must be replaced.
        manager.storage.open_connections.on_replacement(move || {
            if let Some(units) = idle.upgrade() {
                units.wake_all();
            }
        });
        Self {
            name,
            manager,
            units,
            limits,
            accounts: Arc::default(),
            posts: Mutex::default(),
            spawned: AtomicUsize::new(0),
        }
    }

    fn posts<T>(&self, change: impl FnOnce(&mut Posts) -> T) -> T {
        change(&mut self.posts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts a thread.
    pub(super) fn spawn(self: &Arc<Self>, role: Role) -> std::io::Result<()> {
        let (crew, post) = (Arc::clone(self), Arc::new(Post::default()));
        let number = self.spawned.fetch_add(1, Ordering::Relaxed);
        self.posts(|posts| posts.active.push((role, Arc::clone(&post))));
        let worker = Worker { crew, role, post, bell: Arc::default(), connection: None };
        thread::Builder::new().name(format!("{}-{number}", self.name)).spawn(move || worker.run()).map(|_| ())
    }

    /// Starts the thread that abandons and replaces threads. It ends with the queues.
    pub(super) fn spawn_watchdog(self: &Arc<Self>, queues: Weak<Queues>) -> std::io::Result<()> {
        let crew = Arc::clone(self);
        let interval = (self.limits.unit.min(CHECK_LIMIT) / 4).clamp(Duration::from_millis(5), MAX_WATCH_INTERVAL);
        let watch = move || {
            while let Some(queues) = queues.upgrade() {
                crew.replace_overdue(&queues);
                drop(queues);
                thread::sleep(interval);
            }
        };
        thread::Builder::new().name(format!("{}-watchdog", self.name)).spawn(watch).map(|_| ())
    }

    fn replace_overdue(self: &Arc<Self>, queues: &Queues) {
        let (now, mut overdue) = (Instant::now(), Vec::new());
        self.posts(|posts| {
            let active = std::mem::take(&mut posts.active);
            for (role, post) in active {
                match post.abandon_overdue(now) {
                    Some(abandoned) => overdue.push((role, abandoned)),
                    None => posts.active.push((role, post)),
                }
            }
            posts.abandoned += overdue.len();
        });
        for (role, Abandoned { waiting, accounts, batch }) in overdue {
            self.manager.count_loss();
            self.fill(role);
            for (queue, unit) in waiting {
                // Fails if the server stops.
                let _ = queues.send(queue, unit);
            }
            if let Some(queue) = batch {
                self.units.end_batch(queue);
            }
            for next in accounts.into_iter().filter_map(|account| self.accounts.next(account)) {
                self.units.push_accepted(Queue::Writes, next);
            }
        }
    }

    /// Starts a thread in place of an abandoned one, unless too many are abandoned.
    fn fill(self: &Arc<Self>, role: Role) {
        let is_allowed = self.posts(|posts| {
            let threads = posts.active.len() + posts.vacant.len() + 1;
            let is_allowed = posts.abandoned <= threads * MAX_ABANDONED_PER_THREAD;
            if !is_allowed {
                posts.vacant.push(role);
            }
            is_allowed
        });
        if is_allowed && let Err(error) = self.spawn(role) {
            tracing::error!(%error, "cannot start a database thread");
            self.posts(|posts| posts.vacant.push(role));
        }
    }

    /// Called by an abandoned thread that ends.
    fn leave(self: &Arc<Self>) {
        let vacant = self.posts(|posts| {
            posts.abandoned = posts.abandoned.saturating_sub(1);
            posts.vacant.pop()
        });
        if let Some(role) = vacant {
            self.fill(role);
        }
    }
}

/// What a thread runs next.
enum Work {
    Unit(Queue, Box<dyn Unit>),
    Batch(Queue, Vec<Box<dyn Unit>>),
}

/// A database thread.
struct Worker {
    crew: Arc<Crew>,
    role: Role,
    post: Arc<Post>,
    /// Wakes the thread.
    bell: Arc<Condvar>,
    connection: Option<PooledConnection>,
}

impl Worker {
    fn run(mut self) {
        while let Some(next) = self.next() {
            let in_use = self.crew.manager.metrics.as_ref().map(DatabaseMetrics::start_unit);
            match next {
                Work::Unit(queue, unit) => {
                    self.post.with(|state| state.accounts.extend(unit.account()));
                    self.execute(queue, unit);
                }
                Work::Batch(queue, units) => self.execute_batch(queue, units),
            }
            drop(in_use);
            self.log_slow_statements();
            let (is_abandoned, accounts, batch) = self.post.with(|state| {
                state.busy = None;
                state.running.clear();
                (state.is_abandoned, std::mem::take(&mut state.accounts), state.batch.take())
            });
            let units = &self.crew.units;
            for next in accounts.into_iter().filter_map(|account| self.crew.accounts.next(account)) {
                if is_abandoned {
                    units.push_accepted(Queue::Writes, next);
                } else {
                    units.push_before_next(Queue::Writes, next);
                }
            }
            match (batch, is_abandoned) {
                (Some(queue), true) => units.end_batch(queue),
                (Some(queue), false) => units.end_batch_before_next(queue),
                (None, _) => {}
            }
            if is_abandoned {
                self.connection = None;
                return self.crew.leave();
            }
        }
    }

    /// Logs the slow statements of the last unit, unless its connection was abandoned.
    fn log_slow_statements(&mut self) {
        let Some(connection) = self.connection.as_mut().filter(|connection| connection.statements.has_slow()) else {
            return;
        };
        if !self.post.with(|state| state.is_abandoned) {
            self.post.limit(CHECK_LIMIT);
            self.crew.manager.slow_statements.write(connection);
        }
    }

    /// Waits for units; `None` when the database is closed. Closes a connection that is not used.
    fn next(&mut self) -> Option<Work> {
        loop {
            let Self { crew, connection, .. } = self;
            let is_outdated = || connection.as_ref().is_some_and(|connection| !crew.manager.is_current(connection));
            match crew.units.next(self.role, &self.bell, crew.limits.idle, is_outdated) {
                Next::Unit(queue, unit) => return Some(Work::Unit(queue, unit)),
                Next::Batch(queue, units) => return Some(Work::Batch(queue, units)),
                Next::None => *connection = None,
                Next::Closed => return None,
            }
        }
    }

    /// Runs a unit.
    fn execute(&mut self, queue: Queue, mut unit: Box<dyn Unit>) {
        if unit.is_overdue() {
            return unit.finish(Err(DbError::DeadlineExceeded));
        }
        let (post, crew) = (Arc::clone(&self.post), Arc::clone(&self.crew));
        let (mut started, mut conflicts, mut has_reconnected, mut is_released) = (None, 0, false, false);
        let is_autocommit = unit.is_autocommit();
        loop {
            post.with(|state| state.waiting.push((queue, unit)));
            let acquired = self.acquire(is_autocommit);
            // Another thread has the unit if this one was abandoned.
            let Some((_, waiting)) = post.with(|state| state.waiting.pop()) else { return };
            unit = waiting;
            let connection = match acquired {
                Ok(connection) => connection,
                Err(error) => return unit.finish(Err(DbError::unreachable(&error))),
            };
            if started.is_none() && !unit.start() {
                return unit.finish(Err(DbError::DeadlineExceeded));
            }
            if std::mem::take(&mut is_released) && !unit.resume() {
                return unit.finish(Err(DbError::DeadlineExceeded));
            }
            let started = *started.get_or_insert_with(Instant::now);
            post.with(|state| {
                state.busy = Some((started, crew.limits.unit));
                state.running = vec![unit.call()];
            });
            let succeeded = unit.run(connection);
            connection.used_at = Instant::now();
            let is_abandoned = post.with(|state| state.is_abandoned);
            if succeeded || is_abandoned {
                return unit.finish(Ok(()));
            }
            let (failure, has_effect) = (connection.statements.failure(), connection.statements.has_succeeded());
            // Before the caller continues, so that its next unit does not get another lost connection.
            if failure == Some(Failure::Connection) || connection.connection.is_broken() {
                self.connection = None;
                crew.manager.count_loss();
            }
            match failure {
                Some(Failure::Conflict) if conflicts < MAX_CONFLICTS => conflicts += 1,
                // The connection was closed while it was not used.
                Some(Failure::Connection) if !has_effect && !has_reconnected && !is_autocommit && unit.release() => {
                    (has_reconnected, is_released) = (true, true);
                }
                _ => return unit.finish(Ok(())),
            }
        }
    }

    /// Returns a connection that can be used: the current one, after a check if it was idle, or a new one. With `is_autocommit`, the
    /// current one is also checked for being closed, because the unit cannot be repeated.
    fn acquire(&mut self, is_autocommit: bool) -> Result<&mut PooledConnection, ConnectionError> {
        let Crew { manager, limits, .. } = &*self.crew;
        let mut current =
            self.connection.take().filter(|c| manager.is_current(c) && c.opened_at.elapsed() < limits.age);
        if let Some(connection) = &mut current
            && connection.used_at.elapsed() > limits.check_after
        {
            self.post.limit(CHECK_LIMIT);
            let PooledConnection { connection, statements, .. } = connection;
            if !statements.check(|| connection.is_alive()) {
                current = None;
            }
        }
        if is_autocommit && current.as_mut().is_some_and(|current| current.connection.has_been_closed()) {
            current = None;
            manager.count_loss();
        }
        let connection = match current {
            Some(connection) => connection,
            None => {
                self.post.limit(limits.open);
                manager.open()?
            }
        };
        Ok(self.connection.insert(connection))
    }
}
