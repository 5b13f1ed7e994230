//! Pages of lists: cursor pagination (v2) and offset pagination (v1).

use super::{TextFilter, Timestamp};

/// The largest page.
pub const MAX_PER_PAGE: i64 = 100;

/// The property by which a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortKey {
    CreatedAt,
    UpdatedAt,
    /// By code point on both engines: PostgreSQL's columns have the collation "C".
    Name,
}

/// A row's value in the sort column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortValue {
    Timestamp(Timestamp),
    Text(String),
}

/// The position of a row in a sorted list: its sort value, and its ID to order equal values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysetPosition {
    pub value: SortValue,
    pub id: i64,
}

impl SortKey {
    /// Returns the position of a row with these properties.
    #[must_use]
    pub fn position(self, id: i64, created_at: Timestamp, updated_at: Timestamp, name: &str) -> KeysetPosition {
        let value = match self {
            Self::CreatedAt => SortValue::Timestamp(created_at),
            Self::UpdatedAt => SortValue::Timestamp(updated_at),
            Self::Name => SortValue::Text(name.to_owned()),
        };
        KeysetPosition { value, id }
    }
}

/// The order of a list, and the part of it that a page covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyset {
    pub sort: SortKey,
    pub descending: bool,
    /// The last row of the previous page; `None` for the first page.
    pub after: Option<KeysetPosition>,
    /// Maximum number of rows.
    pub limit: i64,
}

impl Keyset {
    /// Selects the first `limit` rows after `after`, newest first.
    #[must_use]
    pub const fn newest_first(after: Option<KeysetPosition>, limit: i64) -> Self {
        Self { sort: SortKey::CreatedAt, descending: true, after, limit }
    }

    /// Selects the first `limit` rows after `after`, oldest first.
    #[must_use]
    pub const fn oldest_first(after: Option<KeysetPosition>, limit: i64) -> Self {
        Self { sort: SortKey::CreatedAt, descending: false, after, limit }
    }
}

/// A query for a page by cursor.
#[derive(Clone, Debug)]
pub struct CursorQuery<F> {
    pub filter: F,
    /// The order and the page; its limit is the page size.
    pub keyset: Keyset,
    /// Whether to count all matching rows.
    pub with_total: bool,
}

/// A page of a list by cursor.
#[derive(Clone, Debug)]
pub struct CursorPage<T> {
    pub data: Vec<T>,
    /// Whether there is a next page.
    pub has_more: bool,
    /// Number of all matching rows; `None` unless requested by [`CursorQuery::with_total`].
    pub total: Option<i64>,
}

impl<F> CursorQuery<F> {
    /// Returns the keyset with a limit of one row more than the page. That row indicates a next page.
    #[must_use]
    pub fn keyset_with_lookahead(&self) -> Keyset {
        Keyset { limit: self.keyset.limit.saturating_add(1), ..self.keyset.clone() }
    }

    /// Creates the page from the rows that [`Self::keyset_with_lookahead`] selects.
    #[must_use]
    pub fn to_page<T>(&self, rows: Vec<T>, total: Option<i64>) -> CursorPage<T> {
        CursorPage { total, ..CursorPage::from_lookahead(rows, self.keyset.limit) }
    }
}

impl<T> CursorPage<T> {
    /// Creates a page of at most `limit` rows. One more row than `limit` indicates a next page.
    #[must_use]
    pub fn from_lookahead(mut data: Vec<T>, limit: i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = data.len() > limit;
        data.truncate(limit);
        Self { data, has_more, total: None }
    }
}

/// A query for a page by number.
#[derive(Clone, Debug, Default)]
pub struct OffsetQuery {
    /// From 1.
    pub page: i64,
    /// Clamped to the range from 1 to [`MAX_PER_PAGE`].
    pub per_page: i64,
    /// Text that the name or description contains.
    pub q: Option<String>,
}

impl OffsetQuery {
    /// Returns the page size.
    #[must_use]
    pub fn per_page(&self) -> i64 {
        self.per_page.clamp(1, MAX_PER_PAGE)
    }

    /// Returns the rows of the page.
    #[must_use]
    pub fn range(&self) -> OffsetRange {
        let limit = self.per_page();
        OffsetRange { offset: (self.page.max(1) - 1).saturating_mul(limit), limit }
    }

    /// `q` as a filter; `None` if it is blank.
    #[must_use]
    pub fn text_filter(&self) -> Option<TextFilter> {
        self.q.as_deref().and_then(TextFilter::parse)
    }
}

/// A range of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetRange {
    /// Number of rows to skip.
    pub offset: i64,
    /// Maximum number of rows.
    pub limit: i64,
}

impl OffsetRange {
    /// Returns the total number of rows if the list ends within this range, so that no query needs to count them. `rows` is the
    /// number of rows in the range.
    #[must_use]
    pub fn total_from_page(&self, rows: usize) -> Option<i64> {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let ends_here = rows < self.limit && (rows > 0 || self.offset == 0);
        ends_here.then_some(self.offset + rows)
    }
}

/// A page of a list by number.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetPage<T> {
    pub data: Vec<T>,
    /// Number of all matching rows.
    pub total: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_page_reveals_the_total() {
        let range = |offset| OffsetRange { offset, limit: 20 };
        assert_eq!(range(0).total_from_page(0), Some(0));
        assert_eq!(range(0).total_from_page(7), Some(7));
        assert_eq!(range(40).total_from_page(7), Some(47));
        assert_eq!(range(40).total_from_page(0), None, "past the end");
        assert_eq!(range(0).total_from_page(20), None, "there may be more");
    }

    #[test]
    fn lookahead_row_is_removed() {
        let page = CursorPage::from_lookahead(vec![1, 2, 3], 2);
        assert_eq!((page.data, page.has_more), (vec![1, 2], true));
        let page = CursorPage::from_lookahead(vec![1, 2], 2);
        assert_eq!((page.data, page.has_more), (vec![1, 2], false));
    }
}
