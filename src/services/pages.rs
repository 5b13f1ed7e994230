//! Pages of lists: by number, and by cursor.

use crate::{
    db::repositories::{OffsetRange, keyset::Keyset},
    domain::like_pattern,
};

/// A page of a list: which one, how large, and what to search for.
#[derive(Clone, Debug, Default)]
pub struct PageRequest {
    /// From 1.
    pub page: i64,
    /// From 1; at most 100 count.
    pub per_page: i64,
    /// Only rows that contain this.
    pub q: Option<String>,
}

/// How many rows a page has at most.
pub const MAX_PER_PAGE: i64 = 100;

impl PageRequest {
    /// How many rows the page has at most.
    #[must_use]
    pub fn per_page(&self) -> i64 {
        self.per_page.clamp(1, MAX_PER_PAGE)
    }

    pub(super) fn slice(&self) -> OffsetRange {
        let limit = self.per_page();
        OffsetRange { offset: (self.page.max(1) - 1).saturating_mul(limit), limit }
    }

    /// The pattern for the repositories; a blank `q` searches nothing.
    pub(super) fn pattern(&self) -> Option<String> {
        self.q.as_deref().filter(|q| !q.trim().is_empty()).map(like_pattern)
    }
}

/// A page of a list by cursor: which rows, in which order, from where.
#[derive(Clone, Debug)]
pub struct CursorQuery<F> {
    pub filter: F,
    /// Its limit is the size of the page.
    pub keyset: Keyset,
    /// Whether to count all rows, too.
    pub with_total: bool,
}

/// A page of a list by cursor.
#[derive(Clone, Debug)]
pub struct CursorPage<T> {
    pub rows: Vec<T>,
    /// Whether there are rows after these.
    pub has_more: bool,
    /// How many rows there are in all, if that was asked.
    pub total: Option<i64>,
}

impl<F> CursorQuery<F> {
    /// One row more than the page has tells whether there are more.
    pub(super) fn keyset_with_lookahead(&self) -> Keyset {
        Keyset { limit: self.keyset.limit + 1, ..self.keyset.clone() }
    }

    pub(super) fn into_page<T>(&self, mut rows: Vec<T>, total: Option<i64>) -> CursorPage<T> {
        let limit = usize::try_from(self.keyset.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        CursorPage { rows, has_more, total }
    }
}
