//! The queue of the database threads: units wait in it for a thread, or threads for a unit.
//!
//! The thread that became idle last is woken first, so that few threads and connections serve a low load. While a woken thread has not taken
//! a unit yet, no other one is woken: on a busy machine, a running thread often takes the unit earlier, and a thread that finds nothing costs
//! two context switches. A thread that takes a unit wakes the next one if more units wait.
//!
//! Units that can share a statement wait until a thread takes all of them. Few threads do so at the same time, so that the units that arrive
//! in the meantime share the next statement.

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
    /// Units that can share a statement. Call [`UnitQueue::end_batch`] or [`UnitQueue::end_batch_before_next`] afterwards.
    Batch(Queue, Vec<Box<dyn Unit>>),
    /// No unit came within the time limit, or the connection of the thread must be closed.
    None,
    /// The database is closed, and no unit is left.
    Closed,
}

/// Maximum number of units that share a statement.
pub(super) const MAX_BATCH: usize = 64;
/// Maximum number of threads that run such statements, for each kind of units: while one waits for the database, the other one uses the
/// processor.
const MAX_BATCHES: usize = 2;

/// A queue of units, and the threads that wait for them.
#[derive(Default)]
pub(super) struct UnitQueue(Mutex<State>);

#[derive(Default)]
struct State {
    reads: Lane,
    writes: Lane,
    /// Number of units that were added.
    added: u64,
    /// The waiting threads, in the order in which they began to wait.
    idle: Vec<(Role, Arc<Condvar>)>,
    /// Whether a thread was woken and has not looked for a unit yet.
    is_waking: bool,
    is_closed: bool,
}

/// The waiting units of a kind.
#[derive(Default)]
struct Lane {
    /// The units that run alone.
    single: VecDeque<Waiting>,
    /// The units that can share a statement.
    batchable: VecDeque<Waiting>,
    running_batches: usize,
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
            if let Some(next) = state.take(role) {
                state.wake_next();
                return next;
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

    /// Ends a batch.
    pub(super) fn end_batch(&self, queue: Queue) {
        let mut state = self.lock();
        state.lane(queue).running_batches -= 1;
        state.wake_next();
    }

    /// Ends a batch. No thread is woken for the next one, because the calling thread takes a unit next.
    pub(super) fn end_batch_before_next(&self, queue: Queue) {
        self.lock().lane(queue).running_batches -= 1;
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

impl Lane {
    /// Returns the number of the oldest unit that can start.
    fn oldest(&self) -> Option<u64> {
        let batchable = self.batchable.front().filter(|_| self.running_batches < MAX_BATCHES);
        self.single.front().into_iter().chain(batchable).map(|waiting| waiting.number).min()
    }

    /// Removes the unit with this number, which must be the oldest one that can start, and those that can share its statement.
    fn take(&mut self, queue: Queue, number: u64) -> Option<Next> {
        if let Some(waiting) = self.single.pop_front_if(|waiting| waiting.number == number) {
            return Some(Next::Unit(queue, waiting.unit));
        }
        let kind = self.batchable.front()?.unit.batch_kind();
        let (mut batch, mut others) = (Vec::new(), VecDeque::new());
        for waiting in self.batchable.drain(..) {
            if batch.len() < MAX_BATCH && waiting.unit.batch_kind() == kind {
                batch.push(waiting.unit);
            } else {
                others.push_back(waiting);
            }
        }
        self.batchable = others;
        self.running_batches += 1;
        Some(Next::Batch(queue, batch))
    }
}

impl State {
    const fn lane(&mut self, queue: Queue) -> &mut Lane {
        match queue {
            Queue::Reads => &mut self.reads,
            Queue::Writes => &mut self.writes,
        }
    }

    fn add(&mut self, queue: Queue, unit: Box<dyn Unit>) {
        let waiting = Waiting { number: self.added, unit };
        self.added += 1;
        let lane = self.lane(queue);
        let units = if waiting.unit.batch_kind().is_some() { &mut lane.batchable } else { &mut lane.single };
        units.push_back(waiting);
    }

    /// Removes the oldest unit that a thread with this role runs, with those that can share its statement.
    fn take(&mut self, role: Role) -> Option<Next> {
        let lanes = [(Queue::Reads, &self.reads), (Queue::Writes, &self.writes)];
        let oldest = lanes.into_iter().filter(|(queue, _)| role.runs(*queue));
        let (number, queue) =
            oldest.filter_map(|(queue, lane)| Some((lane.oldest()?, queue))).min_by_key(|(number, _)| *number)?;
        self.lane(queue).take(queue, number)
    }

    /// Wakes a thread that runs one of the waiting units, unless one is about to look for them.
    fn wake_next(&mut self) {
        if self.is_waking {
            return;
        }
        let (has_reads, has_writes) = (self.reads.oldest().is_some(), self.writes.oldest().is_some());
        let is_needed = |role: Role| (has_reads && role.runs(Queue::Reads)) || (has_writes && role.runs(Queue::Writes));
        if let Some(position) = self.idle.iter().rposition(|(role, _)| is_needed(*role)) {
            let (_, bell) = self.idle.remove(position);
            bell.notify_one();
            self.is_waking = true;
        }
    }
}

#[cfg(test)]
mod tests;
