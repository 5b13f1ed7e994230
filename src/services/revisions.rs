//! Revisions: the number of changes to the resources of an account. A cached response is current if its revision is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{db::MinRevision, domain::UserId};

/// Number of counters. If two accounts share one, changes to one account also invalidate cached responses of the other.
const COUNTERS: usize = 4096;

/// Counts changes. If this server is the only writer, it counts in memory. Otherwise, the transaction of each change increments the
/// revision in the database, and the token status of each request contains it.
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

    fn counter(&self, owner: UserId) -> Option<&AtomicU64> {
        let index = owner.get().unsigned_abs() % COUNTERS as u64;
        self.memory.as_ref()?.get(usize::try_from(index).ok()?)
    }

    /// Counts a committed change.
    pub(super) fn increment(&self, owner: UserId) {
        if let Some(counter) = self.counter(owner) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Returns the current revision; `stored` is the one in the database.
    #[must_use]
    pub fn of(&self, owner: UserId, stored: i64) -> u64 {
        self.counter(owner).map_or(stored.unsigned_abs(), |counter| counter.load(Ordering::SeqCst))
    }
}

impl Revisions {
    /// Returns the minimum revision for the reads of a request whose token status has contained `revision`. `None` if revisions are counted in memory.
    #[must_use]
    pub fn min_revision(&self, owner: UserId, revision: u64) -> Option<MinRevision> {
        let revision = i64::try_from(revision).ok()?;
        self.memory.is_none().then_some(MinRevision::new(owner, revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sole_writer_counts_in_memory() {
        let revisions = Revisions::new(true);
        let (user, other) = (UserId::new(7), UserId::new(8));
        let before = revisions.of(user, 99);
        revisions.increment(user);
        assert_ne!(revisions.of(user, 99), before);
        assert_eq!(revisions.of(other, 99), before);
        assert_eq!(revisions.min_revision(user, 99), None);
    }

    #[test]
    fn one_of_several_writers_uses_the_stored_revision() {
        let revisions = Revisions::new(false);
        revisions.increment(UserId::new(7));
        assert_eq!(revisions.of(UserId::new(7), 99), 99);
        assert_eq!(revisions.min_revision(UserId::new(7), 99), Some(MinRevision::new(UserId::new(7), 99)));
    }
}
