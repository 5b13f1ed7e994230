//! Replaces all connections of this process to an SQLite file at once.
//!
//! The connections of a process share one mapping of the index of the write-ahead log. If it was opened while the storage was read-only, or
//! if one of its pages was replaced by a private copy (see the crate `bus-errors`), every new connection uses it as it is, until the last
//! one is closed. The writer therefore closes all connections before it writes again.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use diesel::ConnectionError;

/// Maximum time that a new connection, or the writer, waits until all older connections are closed.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// The error while the storage has failed and earlier connections are still in use.
pub(super) const STILL_IN_USE: &str = "connections from before the storage failed are still in use";
/// Minimum time between two attempts after failures of the storage, so that reads continue while it is read-only.
const INTERVAL: Duration = Duration::from_secs(1);

/// The open connections of a process to an SQLite file.
#[derive(Clone)]
pub(super) struct OpenConnections(Arc<Shared>);

struct Shared {
    /// Number of times that all connections were replaced. Changes with `state`, but is read for every unit.
    generation: AtomicU64,
    state: Mutex<State>,
    closed: Condvar,
    max_wait: Duration,
    /// Called when a new generation begins. They wake threads whose connections must be closed.
    observers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

struct State {
    /// Number of open connections of this generation.
    current: usize,
    /// Number of open connections of earlier generations.
    outdated: usize,
    /// When the storage has failed, unless the connections were replaced since.
    has_failed: bool,
    replaced_at: Option<Instant>,
    /// Number of bus errors when the connections were last replaced.
    bus_errors: u64,
}

impl Default for State {
    fn default() -> Self {
        Self { current: 0, outdated: 0, has_failed: false, replaced_at: None, bus_errors: bus_errors::count() }
    }
}

impl Shared {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the connections of earlier generations are closed. Returns whether they are.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        let waited = self.closed.wait_timeout_while(state, self.max_wait, |state| state.outdated > 0);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        (state, !timeout.timed_out())
    }
}

impl Default for OpenConnections {
    fn default() -> Self {
        Self::new(MAX_WAIT)
    }
}

impl OpenConnections {
    fn new(max_wait: Duration) -> Self {
        Self(Arc::new(Shared {
            generation: AtomicU64::new(0),
            state: Mutex::default(),
            closed: Condvar::new(),
            max_wait,
            observers: Mutex::default(),
        }))
    }

    /// Registers a connection before it is opened.
    pub(super) fn register(&self) -> Result<OpenConnection, ConnectionError> {
        let (mut state, is_ready) = self.0.wait(self.0.lock());
        if !is_ready {
            return Err(ConnectionError::BadConnection(STILL_IN_USE.to_owned()));
        }
        state.current += 1;
        Ok(OpenConnection { connections: self.clone(), generation: self.0.generation() })
    }

    /// Records a failure of the storage.
    pub(super) fn record_failure(&self) {
        self.0.lock().has_failed = true;
    }

    /// Calls `observer` whenever all connections must be closed.
    pub(super) fn on_replacement(&self, observer: impl Fn() + Send + Sync + 'static) {
        self.0.observers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(observer));
    }

    /// Returns whether all connections must be replaced before the next write. A page that is private must never be used to write.
    pub(super) fn must_be_replaced(&self) -> bool {
        let state = self.0.lock();
        let is_due = || state.replaced_at.is_none_or(|time| time.elapsed() >= INTERVAL);
        state.outdated > 0 || state.bus_errors != bus_errors::count() || (state.has_failed && is_due())
    }

    /// Begins a new generation, and waits until all connections of earlier ones are closed. Returns whether they are. The caller has
    /// closed its own connection.
    pub(super) fn replace(&self) -> bool {
        let mut state = self.0.lock();
        if state.outdated == 0 {
            self.0.generation.fetch_add(1, Ordering::SeqCst);
            let next = State { outdated: state.current, replaced_at: Some(Instant::now()), ..State::default() };
            *state = next;
            for observer in &*self.0.observers.lock().unwrap_or_else(PoisonError::into_inner) {
                observer();
            }
        }
        self.0.wait(state).1
    }
}

/// A connection that is open, or about to be.
pub(super) struct OpenConnection {
    connections: OpenConnections,
    generation: u64,
}

impl OpenConnection {
    /// Returns whether the connection may still be used.
    pub(super) fn is_current(&self) -> bool {
        self.generation == self.connections.0.generation()
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let shared = &self.connections.0;
        let mut state = shared.lock();
        if self.generation == shared.generation() {
            state.current -= 1;
        } else {
            state.outdated -= 1;
            shared.closed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_connection_waits_until_earlier_ones_are_closed() {
        let connections = OpenConnections::default();
        let earlier = connections.register().unwrap();
        assert!(earlier.is_current() && !connections.must_be_replaced());
        connections.record_failure();
        assert!(connections.must_be_replaced());
        let (sender, ended) = std::sync::mpsc::channel();
        connections.on_replacement(move || sender.send(()).unwrap());
        std::thread::scope(|scope| {
            let replaced = scope.spawn(|| connections.replace());
            ended.recv().unwrap();
            assert!(!earlier.is_current());
            let opened = scope.spawn(|| connections.register());
            drop(earlier);
            assert!(replaced.join().unwrap());
            assert!(opened.join().unwrap().unwrap().is_current());
        });
        assert!(!connections.must_be_replaced());
    }

    #[test]
    fn replacement_fails_while_an_earlier_connection_is_in_use() {
        let connections = OpenConnections::new(Duration::from_millis(10));
        let earlier = connections.register().unwrap();
        connections.record_failure();
        assert!(!connections.replace());
        assert!(connections.register().is_err());
        assert!(connections.must_be_replaced(), "a write must not use the earlier mapping");
        drop(earlier);
        assert!(connections.replace());
        assert!(connections.register().unwrap().is_current());
    }

    #[test]
    fn failures_replace_connections_once_per_second() {
        let connections = OpenConnections::default();
        connections.record_failure();
        assert!(connections.replace());
        connections.record_failure();
        assert!(!connections.must_be_replaced(), "the last attempt was less than a second ago");
    }
}
