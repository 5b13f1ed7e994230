//! Rows and queries. Repositories take `&mut DbConnection`, never acquire one and never commit, so they compose.
//!
//! Ownership is part of the query: what belongs to somebody else is not found.

pub mod audit;
pub mod bucketlists;
pub mod exports;
pub mod idempotency;
pub mod incidents;
pub mod items;
pub mod jobs;
pub mod keyset;
pub mod search;
pub mod sessions;
pub mod users;

/// A slice of a list.
#[derive(Clone, Copy, Debug)]
pub struct OffsetRange {
    /// How many rows to skip.
    pub offset: i64,
    /// How many rows to take at most.
    pub limit: i64,
}

/// Rows and how many there are in all.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetPage<T> {
    /// The rows of the slice.
    pub rows: Vec<T>,
    /// How many rows there are without the slice.
    pub total: i64,
}

impl OffsetRange {
    /// How many rows there are in all, if the rows of this slice tell it: they do when they end the list.
    fn total_seen(&self, rows: usize) -> Option<i64> {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let ends_here = rows < self.limit && (rows > 0 || self.offset == 0);
        ends_here.then_some(self.offset + rows)
    }
}

#[cfg(test)]
mod tests {
    use super::OffsetRange;

    #[test]
    fn a_short_page_tells_the_total() {
        let slice = |offset| OffsetRange { offset, limit: 20 };
        assert_eq!(slice(0).total_seen(0), Some(0));
        assert_eq!(slice(0).total_seen(7), Some(7));
        assert_eq!(slice(40).total_seen(7), Some(47));
        assert_eq!(slice(40).total_seen(0), None, "past the end");
        assert_eq!(slice(0).total_seen(20), None, "there may be more");
    }
}
