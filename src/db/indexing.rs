//! Indexes rows that existed before the search index.

use super::{DbConnection, repositories::search};
use crate::domain::SearchTarget;
use diesel::result::QueryResult;

/// Number of rows in a transaction, which limits how long requests wait.
const CHUNK: i64 = 2_000;

/// Progress of [`index_missing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexingProgress {
    /// Number of rows indexed so far.
    pub rows: u64,
    pub total: u64,
}

/// Indexes the bucketlists and items that are missing in the search index and returns their number. Commits in chunks: an
/// interrupted run continues with the next one. If no row is missing, it runs a single count.
///
/// # Errors
/// Fails if the database fails; chunks that were committed remain.
pub fn index_missing(c: &mut DbConnection, progress: &mut dyn FnMut(IndexingProgress)) -> QueryResult<u64> {
    let mut indexed = 0;
    let total = search::count_missing(c)?;
    if total == 0 {
        return Ok(indexed);
    }
    let total = u64::try_from(total).unwrap_or_default();
    progress(IndexingProgress { rows: 0, total });
    for target in [SearchTarget::Bucketlist, SearchTarget::Item] {
        let mut after = i64::MIN;
        while let Some((last, rows)) = index_chunk(c, target, after)? {
            indexed += rows;
            after = last;
            progress(IndexingProgress { rows: indexed, total });
        }
    }
    Ok(indexed)
}

fn index_chunk(c: &mut DbConnection, target: SearchTarget, after: i64) -> QueryResult<Option<(i64, u64)>> {
    // A transaction of SQLite that begins with a read fails if another connection writes before its first write.
    c.begin_write()?;
    match search::index_missing_rows(c, target, after, CHUNK) {
        Ok(chunk) => c.commit().map(|()| chunk),
        Err(error) => {
            // The first error is more specific than that of the rollback.
            let _ = c.rollback();
            Err(error)
        }
    }
}
