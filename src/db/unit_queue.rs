//! The queue of the database threads: units wait in it for a thread, or threads for a unit.
//!
//! The thread that became idle last is woken first, so that few threads and connections serve a low load. While a woken thread has not taken
//! a unit yet, no other one is woken: on a busy machine, a running thread often takes the unit earlier, and a thread that finds nothing costs
//! two context switches. A thread that takes a unit wakes the next one if more units wait.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::unit::Unit;

/// The kind of a unit, for which threads can be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Reads,
    Writes,
}

/// The units that a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads only, so that reads are not delayed by writes that wait for locks.
    Reads,
    /// Writes only, so that writes are not delayed by slow reads.
    Writes,
    /// Reads and writes.
    All,
}

impl Role {
    const fn runs(self, queue: Queue) -> bool {
        matches!((self, queue), (Self::All, _) | (Self::Reads, Queue::Reads) | (Self::Writes, Queue::Writes))
    }
}

/// The end of a wait for a unit.
pub(super) enum Next {
    Unit(Queue, Box<dyn Unit>),
    /// No unit came within the time limit, or the connection of the thread must be closed.
    None,
    /// The database is closed, and no unit is left.
    Closed,
}

/// A queue of units, and the threads that wait for them.
#[derive(Default)]
pub(super) struct UnitQueue(Mutex<State>);

#[derive(Default)]
struct State {
    reads: VecDeque<Waiting>,
    writes: VecDeque<Waiting>,
    /// Number of units that were added.
    added: u64,
    /// The waiting threads, in the order in which they began to wait.
    idle: Vec<(Role, Arc<Condvar>)>,
    /// Whether a thread was woken and has not looked for a unit yet.
    is_waking: bool,
    is_closed: bool,
}

struct Waiting {
    number: u64,
    unit: Box<dyn Unit>,
}

impl UnitQueue {
    /// Adds a unit. Returns whether the queue is open.
    pub(super) fn push(&self, queue: Queue, unit: Box<dyn Unit>) -> bool {
        let mut state = self.lock();
        if !state.is_closed {
            state.add(queue, unit);
            state.wake_next();
        }
        !state.is_closed
    }

    /// Adds a unit that was accepted before, even if the queue was closed since.
    pub(super) fn push_accepted(&self, queue: Queue, unit: Box<dyn Unit>) {
        let mut state = self.lock();
        state.add(queue, unit);
        state.wake_next();
    }

    /// Adds a unit that was accepted before. No thread is woken for it, because the calling thread takes a unit next.
    pub(super) fn push_before_next(&self, queue: Queue, unit: Box<dyn Unit>) {
        self.lock().add(queue, unit);
    }

    /// Waits for a unit that a thread with this role runs. `bell` wakes only this thread. `must_close` returns whether the connection of the
    /// thread must be closed; if that changes later, [`Self::wake_all`] must be called.
    pub(super) fn next(
        &self,
        role: Role,
        bell: &Arc<Condvar>,
        time_limit: Duration,
        must_close: impl Fn() -> bool,
    ) -> Next {
        let mut state = self.lock();
        let mut deadline = None;
        loop {
            if let Some((queue, unit)) = state.take(role) {
                state.wake_next();
                return Next::Unit(queue, unit);
            }
            // The unit that this thread was woken for is gone, but there may be one that it does not run.
            state.wake_next();
            if state.is_closed {
                return Next::Closed;
            }
            let now = Instant::now();
            let remaining = deadline.get_or_insert(now + time_limit).saturating_duration_since(now);
            if remaining.is_zero() || must_close() {
                return Next::None;
            }
            state.idle.push((role, Arc::clone(bell)));
            state = bell.wait_timeout(state, remaining).unwrap_or_else(PoisonError::into_inner).0;
            match state.idle.iter().position(|(_, idle)| Arc::ptr_eq(idle, bell)) {
                Some(position) => drop(state.idle.remove(position)),
                None => state.is_waking = false,
            }
        }
    }

    /// Wakes all waiting threads.
    pub(super) fn wake_all(&self) {
        for (_, bell) in &self.lock().idle {
            bell.notify_one();
        }
    }

    /// Ends the threads when no unit is left.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.wake_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, queue: Queue, unit: Box<dyn Unit>) {
        let waiting = Waiting { number: self.added, unit };
        self.added += 1;
        self.queue(queue).push_back(waiting);
    }

    const fn queue(&mut self, queue: Queue) -> &mut VecDeque<Waiting> {
        match queue {
            Queue::Reads => &mut self.reads,
            Queue::Writes => &mut self.writes,
        }
    }

    /// Removes the oldest unit that a thread with this role runs.
    fn take(&mut self, role: Role) -> Option<(Queue, Box<dyn Unit>)> {
        let oldest =
            |units: &VecDeque<Waiting>, queue| units.front().filter(|_| role.runs(queue)).map(|unit| unit.number);
        let queue = match (oldest(&self.reads, Queue::Reads), oldest(&self.writes, Queue::Writes)) {
            (Some(read), Some(write)) if write < read => Queue::Writes,
            (Some(_), _) => Queue::Reads,
            (None, Some(_)) => Queue::Writes,
            (None, None) => return None,
        };
        self.queue(queue).pop_front().map(|waiting| (queue, waiting.unit))
    }

    /// Wakes a thread that runs one of the waiting units, unless one is about to look for them.
    fn wake_next(&mut self) {
        if self.is_waking {
            return;
        }
        let (has_reads, has_writes) = (!self.reads.is_empty(), !self.writes.is_empty());
        let is_needed = |role: Role| (has_reads && role.runs(Queue::Reads)) || (has_writes && role.runs(Queue::Writes));
        if let Some(position) = self.idle.iter().rposition(|(role, _)| is_needed(*role)) {
            let (_, bell) = self.idle.remove(position);
            bell.notify_one();
            self.is_waking = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
        thread,
    };

    use super::*;
    use crate::db::{DbError, connection::PooledConnection, unit::Expire};

    const LONG: Duration = Duration::from_secs(60);

    /// A unit that sends its name when it is finished.
    struct NamedUnit(&'static str, mpsc::Sender<&'static str>);

    impl Expire for () {
        fn expire(&self, _: Duration) {}
    }

    impl Unit for NamedUnit {
        fn is_overdue(&self) -> bool {
            false
        }

        fn start(&mut self) -> bool {
            true
        }

        fn run(&mut self, _: &mut PooledConnection) -> bool {
            true
        }

        fn finish(self: Box<Self>, _: Result<(), DbError>) {
            self.1.send(self.0).unwrap();
        }

        fn call(&self) -> Arc<dyn Expire> {
            Arc::new(())
        }
    }

    /// Takes the next unit; returns its name, or how the wait ended.
    fn take(units: &UnitQueue, role: Role, names: &mpsc::Receiver<&'static str>) -> &'static str {
        match units.next(role, &Arc::default(), Duration::ZERO, || false) {
            Next::Unit(_, unit) => {
                unit.finish(Ok(()));
                names.recv().unwrap()
            }
            Next::None => "none",
            Next::Closed => "closed",
        }
    }

    fn wait_for_idle(units: &UnitQueue, count: usize) {
        while units.lock().idle.len() < count {
            thread::yield_now();
        }
    }

    #[test]
    fn thread_takes_the_oldest_unit_that_it_runs() {
        let (units, (sender, names)) = (UnitQueue::default(), mpsc::channel());
        let unit = |name| Box::new(NamedUnit(name, sender.clone()));
        for (queue, name) in [(Queue::Writes, "1"), (Queue::Reads, "2"), (Queue::Reads, "3"), (Queue::Writes, "4")] {
            assert!(units.push(queue, unit(name)));
        }
        assert_eq!(take(&units, Role::Reads, &names), "2");
        assert_eq!(take(&units, Role::All, &names), "1");
        assert_eq!(take(&units, Role::All, &names), "3");
        assert_eq!(take(&units, Role::Reads, &names), "none");
        assert_eq!(take(&units, Role::Writes, &names), "4");
        assert_eq!(take(&units, Role::All, &names), "none");
    }

    #[test]
    fn closed_queue_accepts_no_unit_and_ends_when_it_is_empty() {
        let (units, (sender, names)) = (UnitQueue::default(), mpsc::channel());
        let unit = |name| Box::new(NamedUnit(name, sender.clone()));
        assert!(units.push(Queue::Writes, unit("accepted")));
        units.close();
        assert!(!units.push(Queue::Writes, unit("rejected")));
        units.push_before_next(Queue::Writes, unit("next of its account"));
        assert_eq!(take(&units, Role::Reads, &names), "closed");
        assert_eq!(take(&units, Role::Writes, &names), "accepted");
        assert_eq!(take(&units, Role::Writes, &names), "next of its account");
        assert_eq!(take(&units, Role::Writes, &names), "closed");
    }

    #[test]
    fn unit_wakes_the_thread_that_became_idle_last() {
        let (units, (sender, names)) = (UnitQueue::default(), mpsc::channel());
        let wait = |role| matches!(units.next(role, &Arc::default(), LONG, || false), Next::Unit(..));
        thread::scope(|scope| {
            let first = scope.spawn(|| wait(Role::All));
            wait_for_idle(&units, 1);
            let last = scope.spawn(|| wait(Role::All));
            wait_for_idle(&units, 2);
            let writer = scope.spawn(|| wait(Role::Writes));
            wait_for_idle(&units, 3);
            assert!(units.push(Queue::Reads, Box::new(NamedUnit("read", sender.clone()))));
            assert!(last.join().unwrap());
            assert!(!first.is_finished() && !writer.is_finished());
            units.close();
            assert!(!first.join().unwrap() && !writer.join().unwrap());
        });
        drop(names);
    }

    #[test]
    fn units_of_both_kinds_wake_a_thread_each() {
        let (units, (sender, _names)) = (UnitQueue::default(), mpsc::channel());
        let wait = |role| matches!(units.next(role, &Arc::default(), LONG, || false), Next::Unit(..));
        thread::scope(|scope| {
            let waiting = [Role::Reads, Role::Writes].map(|role| scope.spawn(move || wait(role)));
            wait_for_idle(&units, 2);
            for queue in [Queue::Reads, Queue::Writes] {
                assert!(units.push(queue, Box::new(NamedUnit("unit", sender.clone()))));
            }
            for thread in waiting {
                assert!(thread.join().unwrap());
            }
        });
    }

    #[test]
    fn waiting_thread_closes_its_connection_when_all_threads_are_woken() {
        let (units, must_close) = (UnitQueue::default(), AtomicBool::new(false));
        thread::scope(|scope| {
            let waiting =
                scope.spawn(|| units.next(Role::All, &Arc::default(), LONG, || must_close.load(Ordering::SeqCst)));
            wait_for_idle(&units, 1);
            must_close.store(true, Ordering::SeqCst);
            units.wake_all();
            assert!(matches!(waiting.join().unwrap(), Next::None));
        });
    }
}
