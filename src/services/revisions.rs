//! How often what an account owns has changed: whoever remembers answers knows by it whether they are still true.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Several accounts share a counter: then a change of one makes the others' answers be asked for again, which is harmless.
const COUNTERS: usize = 4096;

/// Counts changes. Where this server is the only one, in memory; else the database counts, in the transaction of the
/// change itself, and every request learns the count with the standing of its token.
#[derive(Clone)]
pub struct Revisions {
    memory: Option<Arc<[AtomicU64]>>,
}

impl Revisions {
    /// Counts in memory if `is_sole_writer`.
    #[must_use]
    pub fn new(is_sole_writer: bool) -> Self {
        let counters = || (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        Self { memory: is_sole_writer.then(counters) }
    }

    fn counter(&self, owner: i64) -> Option<&AtomicU64> {
        let index = owner.unsigned_abs() % COUNTERS as u64;
        self.memory.as_ref()?.get(usize::try_from(index).ok()?)
    }

    /// Counts a change, once it is durable.
    pub(super) fn count(&self, owner: i64) {
        if let Some(counter) = self.counter(owner) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The count now; `stored` is what the database says.
    #[must_use]
    pub fn of(&self, owner: i64, stored: i64) -> u64 {
        self.counter(owner).map_or(stored.unsigned_abs(), |counter| counter.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sole_writer_counts_in_memory_and_others_ask() {
        let alone = Revisions::new(true);
        let before = alone.of(7, 99);
        alone.count(7);
        assert_ne!(alone.of(7, 99), before);
        assert_eq!(alone.of(8, 99), before);
        let among_others = Revisions::new(false);
        among_others.count(7);
        assert_eq!(among_others.of(7, 99), 99);
    }
}
