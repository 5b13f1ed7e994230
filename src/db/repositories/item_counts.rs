//! Item counts that a bucketlist stores, so that pages with a total need no count.

use crate::domain::ItemFilter;

/// The item counts that a bucketlist stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemCounts {
    pub(super) total: i64,
    pub(super) done: i64,
}

impl ItemCounts {
    /// Returns whether the stored counts contain the number of items that match a filter.
    #[must_use]
    pub const fn cover(filter: &ItemFilter) -> bool {
        matches!(filter, ItemFilter { q: None, due_before: None, due_after: None, created_after: None, done: _ })
    }

    /// Returns the number of items that match a filter that the counts [`cover`](Self::cover).
    #[must_use]
    pub const fn count_matching(self, filter: &ItemFilter) -> i64 {
        match filter.done {
            None => self.total,
            Some(true) => self.done,
            Some(false) => self.total - self.done,
        }
    }
}
